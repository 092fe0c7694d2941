//! One page's session: states and pictures out, actions in.

use super::access;
use super::hub::{Hub, Sitting};
use super::jpeg::{self, Buffers, Wiped};
use super::protocol::{self, Said};
use crate::mirror::view::View;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often a page is asked whether it is there.
const ASK: Duration = Duration::from_secs(3);
/// How long a page may leave a question or a picture without an answer, or a message unread.
const PATIENCE: Duration = Duration::from_secs(10);

/// The page is gone, or is to go.
struct Gone;

pub(super) async fn open(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !access::is_same_origin(&headers) {
        let why = "a page of another origin may not open the mirror\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    upgrade
        .max_message_size(protocol::MESSAGE)
        .max_frame_size(protocol::MESSAGE)
        .write_buffer_size(0)
        .on_upgrade(|socket| Session::run(socket, hub))
}

struct Session {
    socket: WebSocket,
    hub: Arc<Hub>,
    sitting: Sitting,
    /// What the page was told last.
    shop: String,
    catalogue: Option<u64>,
    state: String,
    /// The view that was sent last.
    sent: Option<u64>,
    /// The view whose picture the page has not acknowledged yet, and since when.
    waiting: Option<(u64, Instant)>,
    heard: Instant,
}

impl Session {
    async fn run(socket: WebSocket, hub: Arc<Hub>) {
        let mut session = Self {
            socket,
            sitting: hub.sit(),
            hub,
            shop: String::new(),
            catalogue: None,
            state: String::new(),
            sent: None,
            waiting: None,
            heard: Instant::now(),
        };
        // Ends when the page does.
        let Err(Gone) = session.serve().await else { return };
    }

    async fn serve(&mut self) -> Result<(), Gone> {
        let mut ask = tokio::time::interval(ASK);
        // The connection's buffer grows to its size before it ever holds a picture.
        self.pad().await?;
        self.tell().await?;
        loop {
            tokio::select! {
                () = self.sitting.displaced.wait() => return self.leave().await,
                changed = self.sitting.wipes.changed() => {
                    changed.map_err(|_| Gone)?;
                    self.wipe().await?;
                }
                changed = self.sitting.newest.changed() => {
                    changed.map_err(|_| Gone)?;
                    self.tell().await?;
                }
                message = self.socket.recv() => {
                    let message = message.ok_or(Gone)?.map_err(|_| Gone)?;
                    self.heard = Instant::now();
                    self.hear(&message)?;
                    if self.waiting.is_none() {
                        self.tell().await?;
                    }
                }
                _ = ask.tick() => {
                    let unanswered = self.waiting.is_some_and(|(_, since)| since.elapsed() > PATIENCE);
                    if unanswered || self.heard.elapsed() > PATIENCE {
                        self.hub.counters.lost.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!("the page stopped answering; its session is closed");
                        return Err(Gone);
                    }
                    self.send(Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    fn hear(&mut self, message: &Message) -> Result<(), Gone> {
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Close(_) => return Err(Gone),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) => "",
        };
        match protocol::read(text) {
            Some(Said::Action(action)) => self.hub.act(action),
            Some(Said::Seen(number)) if self.waiting.is_some_and(|(view, _)| view == number) => {
                self.waiting = None;
                self.hub.saw(number);
            }
            _ => self.hub.ignore(),
        }
        Ok(())
    }

    /// Brings the page up to the newest view: what changed of the state at once, the picture if none is on its way.
    async fn tell(&mut self) -> Result<(), Gone> {
        let Some(view) = self.sitting.newest.borrow_and_update().clone() else { return Ok(()) };
        let shop = protocol::shop(&view.shop);
        if shop != self.shop {
            self.send(Message::text(shop.as_str())).await?;
            self.shop = shop;
        }
        if self.catalogue != Some(view.catalogue.version) {
            self.send(Message::text(protocol::catalogue(&view.catalogue))).await?;
            self.catalogue = Some(view.catalogue.version);
        }
        let state = protocol::state(&view);
        if state != self.state {
            self.send(Message::text(state.as_str())).await?;
            self.state = state;
        }
        if self.waiting.is_none() && self.sent != Some(view.number) {
            self.send_picture(view).await?;
        }
        Ok(())
    }

    async fn send_picture(&mut self, view: Arc<View>) -> Result<(), Gone> {
        let number = view.number;
        let jpeg = encode(view, Arc::clone(&self.hub.buffers)).await;
        if self.sitting.wipes.has_changed().unwrap_or(true) {
            return Ok(());
        }
        let jpeg = jpeg.map(Bytes::from_owner).unwrap_or_default();
        self.sent = Some(number);
        self.waiting = Some((number, Instant::now()));
        let head = Bytes::copy_from_slice(&protocol::head(number, jpeg.len()));
        self.send(Message::Binary(head)).await?;
        for start in (0..jpeg.len()).step_by(protocol::PART) {
            let end = jpeg.len().min(start + protocol::PART);
            self.send(Message::Binary(jpeg.slice(start..end))).await?;
        }
        if !jpeg.is_empty() {
            let counters = &self.hub.counters;
            counters.pictures.fetch_add(1, Ordering::Relaxed);
            counters.picture_bytes.fetch_add(jpeg.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn wipe(&mut self) -> Result<(), Gone> {
        self.send(Message::text(r#"{"type":"wipe"}"#)).await?;
        self.pad().await?;
        // The page forgot it too.
        self.state.clear();
        self.tell().await
    }

    /// Overwrites what the connection's own buffer holds.
    async fn pad(&mut self) -> Result<(), Gone> {
        self.send(Message::Binary(Bytes::from_static(&[0; protocol::PART]))).await
    }

    async fn leave(&mut self) -> Result<(), Gone> {
        let taken = Message::text(r#"{"type":"taken"}"#);
        let said = async {
            self.socket.send(taken).await?;
            self.socket.send(Message::Close(None)).await
        };
        let _ = tokio::time::timeout(PATIENCE, said).await;
        Err(Gone)
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match tokio::time::timeout(PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }
}

/// The view's picture, encoded on a thread that may take its time; `None` where none is to be shown.
async fn encode(view: Arc<View>, buffers: Arc<Buffers>) -> Option<Wiped> {
    if !protocol::shows_picture(&view.stage) {
        return None;
    }
    let picture = Arc::clone(view.picture.as_ref()?);
    drop(view);
    let encode = move || jpeg::encode(&picture, jpeg::LIVE, &buffers);
    match tokio::task::spawn_blocking(encode).await.ok()? {
        Ok(jpeg) => Some(jpeg),
        Err(error) => {
            tracing::error!("the live picture cannot be encoded: {error}");
            None
        }
    }
}
