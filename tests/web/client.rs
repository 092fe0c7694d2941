//! As much of HTTP and WebSocket as the tests speak.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Long enough for a loaded machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A status, headers in lower case, a body.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Asks with these headers beside `Host`, which stands for the address unless one is given.
pub fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = BufReader::new(ask(address, path, headers, "Connection: close\r\n"));
    let mut answer = head(&mut stream);
    stream.read_to_end(&mut answer.body).unwrap();
    answer
}

fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)], more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("GET {path} HTTP/1.1\r\n{more}");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    stream.write_all((request + "\r\n").as_bytes()).unwrap();
    stream
}

fn head(stream: &mut impl BufRead) -> Answer {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).expect("a status").parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Answer { status, headers, body: Vec::new() }
}

/// One page's WebSocket.
pub struct Page(BufReader<TcpStream>);

/// What the server said.
#[derive(Debug, PartialEq)]
pub enum Said {
    Text(serde_json::Value),
    Binary(Vec<u8>),
    Closed,
}

impl Page {
    /// Opens a session, as a page of this origin would.
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address, &format!("http://{address}"))
            .unwrap_or_else(|status| panic!("{status}"))
    }

    /// Opens a session from any origin; the status where it is refused.
    pub fn try_open(address: SocketAddr, origin: &str) -> Result<Self, u16> {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let mut stream = BufReader::new(ask(address, "/ws", &[("Origin", origin)], upgrade));
        let answer = head(&mut stream);
        if answer.status == 101 { Ok(Self(stream)) } else { Err(answer.status) }
    }

    /// Says something, masked with zeros as the protocol allows.
    pub fn say(&mut self, text: &str) {
        self.send(0x81, text.as_bytes());
    }

    pub fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = vec![kind];
        match payload.len() {
            length @ ..126 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.get_mut().write_all(&frame).unwrap();
    }

    /// The next message; pings are passed over.
    pub fn hear(&mut self) -> Said {
        let mut start = [0; 2];
        if self.0.read_exact(&mut start).is_err() {
            return Said::Closed;
        }
        let length = match start[1] {
            126 => u64::from(u16::from_be_bytes(self.bytes())),
            127 => u64::from_be_bytes(self.bytes()),
            length => u64::from(length),
        };
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).unwrap();
        match start[0] & 15 {
            1 => Said::Text(serde_json::from_slice(&payload).unwrap()),
            2 => Said::Binary(payload),
            8 => Said::Closed,
            _ => self.hear(),
        }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The next text of a type; what comes before is passed over.
    pub fn hear_text(&mut self, kind: &str) -> serde_json::Value {
        loop {
            match self.hear() {
                Said::Text(text) if text["type"] == kind => return text,
                Said::Closed => panic!("closed before {kind}"),
                _ => {}
            }
        }
    }

    /// The next picture, put together: the view's number and its JPEG, empty where there is none to show.
    pub fn hear_picture(&mut self) -> (u64, Vec<u8>) {
        let mut picture: Option<(u64, usize, Vec<u8>)> = None;
        loop {
            match (self.hear(), &mut picture) {
                (Said::Binary(head), None) => {
                    let number = u64::from_be_bytes(head[..8].try_into().unwrap());
                    let length = u32::from_be_bytes(head[8..12].try_into().unwrap());
                    if number != 0 {
                        picture = Some((number, length as usize, Vec::new()));
                    }
                }
                (Said::Binary(part), Some((_, _, jpeg))) => jpeg.extend(part),
                (Said::Closed, _) => panic!("closed before a picture"),
                (Said::Text(_), _) => {}
            }
            if let Some((number, length, jpeg)) = &picture
                && jpeg.len() == *length
            {
                return (*number, jpeg.clone());
            }
        }
    }
}
