//! A page without a browser: reads pictures, says that it has seen them, wears a garment.

use anyhow::Context;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, Message, WebSocket};

/// What the shopper of the bench wears.
const PIECE: &str = "tee-red-print";

/// A picture of which parts have come.
struct Picture {
    number: u64,
    length: usize,
    missing: usize,
}

/// Takes a message: the first part of a picture, which starts with the view's number and the JPEG's length, or the next.
fn part(begun: Option<Picture>, bytes: &[u8]) -> anyhow::Result<Picture> {
    if let Some(begun) = begun {
        let missing = begun.missing.checked_sub(bytes.len()).context("a part too many")?;
        return Ok(Picture { missing, ..begun });
    }
    let (number, rest) = bytes.split_first_chunk::<8>().context("no head")?;
    let (length, body) = rest.split_first_chunk::<4>().context("no head")?;
    let (number, length) = (u64::from_be_bytes(*number), u32::from_be_bytes(*length) as usize);
    if number == 0 {
        return Ok(Picture { number, length: 0, missing: 0 });
    }
    let missing = length.checked_sub(body.len()).context("a part too many")?;
    Ok(Picture { number, length, missing })
}

/// An open page.
pub struct Client {
    socket: WebSocket<TcpStream>,
}

impl Client {
    /// Opens the page's socket as the page does.
    pub fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let mut request = format!("ws://{address}/ws").into_client_request()?;
        request.headers_mut().insert("Origin", format!("http://{address}").parse()?);
        let stream = TcpStream::connect(address).context("the page's server is not there")?;
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        stream.set_nodelay(true)?;
        let (socket, _) = tungstenite::client::client(request, stream).context("no page")?;
        Ok(Self { socket })
    }

    /// Looks until `stop`; how many pictures were seen.
    pub fn look(mut self, stop: Arc<AtomicBool>) -> anyhow::Result<u64> {
        let (mut pictures, mut is_dressed) = (0, false);
        let mut picture = None;
        self.say(r#"{"do":"wake"}"#)?;
        while !stop.load(Ordering::SeqCst) {
            let message = match self.socket.read() {
                Ok(message) => message,
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(_) if stop.load(Ordering::SeqCst) => break,
                Err(error) => return Err(error.into()),
            };
            match message {
                Message::Binary(bytes) => {
                    let next = part(picture.take(), &bytes)?;
                    if next.missing > 0 {
                        picture = Some(next);
                    } else if next.number > 0 {
                        pictures += u64::from(next.length > 0);
                        self.say(&format!(r#"{{"do":"seen","view":{}}}"#, next.number))?;
                    }
                }
                Message::Text(text) if !is_dressed && text.contains(PIECE) => {
                    self.say(&format!(r#"{{"do":"wear","piece":"{PIECE}"}}"#))?;
                    is_dressed = true;
                }
                _ => {}
            }
        }
        Ok(pictures)
    }

    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.socket.send(Message::text(text)).context("the page's server is gone")
    }
}
