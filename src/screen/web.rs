//! A web page as the screen: Chromium in kiosk mode on the same machine, or a tablet that the shop lets in.
//!
//! One page is served at a time; a newer one takes over. States go to the page as JSON, the live picture as JPEG over one
//! WebSocket, at most one picture on its way. Nothing is fetched from another origin, and no picture is kept: JPEGs are
//! overwritten once they are sent.
//!
//! | path                                    | answer                                                          |
//! |-----------------------------------------|-----------------------------------------------------------------|
//! | `/`, `/style/…`, `/code/…`, `/messages/…` | the page                                                        |
//! | `/ws`                                   | the session: [`protocol`](mod@protocol)                         |
//! | `/piece/<id>.png`                       | a piece's thumbnail                                             |
//! | `/look/<number>/before.jpg`, `after.jpg` | a look of this visit; 404 once it is wiped                      |
//! | `/look/<number>/after.png`              | the same as a download, where [`Shop::download`] allows it      |
//! | `/healthz`                              | 200 where all is well, else 503; facts as JSON                  |
//! | `/metrics`                              | figures in Prometheus' text format                              |
//!
//! [`Shop::download`]: crate::mirror::view::Shop::download

mod access;
mod assets;
mod hub;
mod jpeg;
pub mod protocol;
mod routes;
mod session;

pub use access::Token;
pub use hub::Counters;

use super::{Screen, ScreenError};
use crate::mirror::view::{Action, Seen, View};
use access::Access;
use axum::serve::ListenerExt;
use hub::Hub;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Threads that encode pictures: one for the live picture, one for looks.
const ENCODERS: usize = 2;

/// How long a picture that is being encoded may hold up the end of the program.
const END: Duration = Duration::from_millis(500);

/// Where and what to serve.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// Address to listen on; port 0 takes a free one, see [`Web::address`].
    pub listen: SocketAddr,
    /// Lets other machines in, with this token.
    pub allow_remote: Option<Token>,
    /// Whether the page is served; without it, `/healthz` and `/metrics` are all there is.
    pub page: bool,
}

/// What the health page tells; asked from the server's thread.
pub trait Health: Send + Sync {
    /// Whether all is well, and the page's facts.
    fn status(&self) -> (bool, serde_json::Value);

    /// Prometheus' text format, or OpenMetrics' (which ends in `# EOF`).
    fn metrics(&self) -> String;
}

/// The server, on a thread of its own until it is dropped.
pub struct Web {
    address: SocketAddr,
    hub: Arc<Hub>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    /// Binds the address and starts to serve.
    ///
    /// # Errors
    /// If other machines would reach the address and no token is given, or the address cannot be bound.
    pub fn start(options: WebOptions, health: Arc<dyn Health>) -> Result<Self, ScreenError> {
        let what = || format!("cannot serve on {}", options.listen);
        let failed = |error: std::io::Error| ScreenError { what: what(), why: error.to_string() };
        if !options.listen.ip().is_loopback() && options.allow_remote.is_none() {
            let why = "other machines could reach it: listen on 127.0.0.1, or allow them with --allow-remote and a token";
            return Err(ScreenError { what: what(), why: why.into() });
        }
        let listener = TcpListener::bind(options.listen).map_err(|error| ScreenError {
            what: what(),
            why: format!("{error}; choose another address or port with --listen"),
        })?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("web-encoder")
            .max_blocking_threads(ENCODERS)
            .build()
            .map_err(failed)?;

        let hub = Arc::new(Hub::default());
        let access = Access::new(address.ip(), options.allow_remote);
        let routes = routes::routes(Arc::clone(&hub), health, access, options.page);
        let (end, ended) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    result = serve(listener, routes) => {
                        if let Err(error) = result {
                            tracing::error!("the web server ended: {error}");
                        }
                    }
                    _ = ended => {}
                }
            });
            runtime.shutdown_timeout(END);
        };
        let thread = std::thread::Builder::new().name("web".into()).spawn(serve).map_err(failed)?;
        Ok(Self { address, hub, end: Some(end), thread: Some(thread) })
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the server counts; they grow as long as the program runs.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.hub.counters)
    }
}

async fn serve(listener: TcpListener, routes: axum::Router) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
        // Without it a small message waits for the answer to the one before.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await
}

impl Screen for Web {
    fn show(&mut self, view: &Arc<View>) -> Result<(), ScreenError> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(ScreenError {
                what: format!("cannot serve on {}", self.address),
                why: "the web server ended; the log says why".into(),
            });
        }
        self.hub.show(Arc::clone(view));
        Ok(())
    }

    fn seen(&mut self) -> Vec<Seen> {
        self.hub.take_seen()
    }

    fn actions(&mut self) -> Vec<Action> {
        self.hub.take_actions()
    }

    fn wipe(&mut self) {
        self.hub.wipe();
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.hub.wipe();
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
