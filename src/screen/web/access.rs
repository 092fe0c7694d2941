//! Who may ask: the machine itself, or whoever knows the token; never a page of another origin.

use super::ScreenError;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;

/// Fewest characters of a token: 96 bits where they are drawn from 64.
const TOKEN_LENGTH: usize = 16;

const COOKIE: &str = "vitrine";

/// No inline code or style, nothing from another origin, never inside a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
];

/// What lets other machines in.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token of at least 16 letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// If it is shorter or holds anything else.
    pub fn new(text: &str) -> Result<Self, ScreenError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.len() >= TOKEN_LENGTH && text.chars().all(fits) {
            return Ok(Self(text.into()));
        }
        Err(ScreenError {
            what: "cannot use this token".into(),
            why: format!(
                "it needs at least {TOKEN_LENGTH} letters, digits, `-` or `_`; `openssl rand -hex 16` makes one"
            ),
        })
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(…)")
    }
}

pub(super) struct Access {
    bound: IpAddr,
    token: Option<[u8; 32]>,
}

impl Access {
    pub(super) fn new(bound: IpAddr, token: Option<Token>) -> Self {
        Self { bound, token: token.map(|token| digest(&token.0)) }
    }

    /// Whether a `Host` names this machine. A name that another site's owner points here (DNS rebinding) does not;
    /// an address always does where any address is listened on.
    fn names_us(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        match name.parse::<IpAddr>() {
            Ok(ip) => self.bound.is_unspecified() || ip == self.bound || ip.is_loopback(),
            Err(_) => name.eq_ignore_ascii_case("localhost"),
        }
    }

    fn is_token(&self, given: &str) -> bool {
        self.token.as_ref().is_some_and(|token| same(token, &digest(given)))
    }

    fn knows_token(&self, headers: &HeaderMap) -> bool {
        let bearer = text(headers, header::AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer "));
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookie = cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter_map(|(name, value)| (name == COOKIE).then_some(value));
        bearer.is_some_and(|given| self.is_token(given)) || cookie.any(|given| self.is_token(given))
    }
}

/// Puts the checks and headers around every route.
pub(super) fn guarded(routes: Router, access: Access) -> Router {
    routes.layer(middleware::from_fn_with_state(Arc::new(access), guard))
}

async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&access, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refusal(access: &Access, request: &Request) -> Option<Response> {
    let headers = request.headers();
    if !text(headers, header::HOST).is_some_and(|host| access.names_us(host)) {
        let why = "this mirror answers to its own address only, not to this name\n";
        return Some((StatusCode::FORBIDDEN, why).into_response());
    }
    if access.token.is_none() || access.knows_token(headers) {
        return None;
    }
    match token_in(request.uri()) {
        Some(given) if request.uri().path() == "/" && access.is_token(given) => {
            let cookie = format!("{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict");
            let headers = [(header::LOCATION, "/"), (header::SET_COOKIE, cookie.as_str())];
            Some((StatusCode::SEE_OTHER, headers).into_response())
        }
        _ => {
            let why = "this mirror needs the shop's token: open /?token=… with it\n";
            let headers = [(header::WWW_AUTHENTICATE, "Bearer")];
            Some((StatusCode::UNAUTHORIZED, headers, why).into_response())
        }
    }
}

/// Whether a request comes from a page that this server sent.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let origin = text(headers, header::ORIGIN).and_then(|origin| origin.parse::<Uri>().ok());
    let authority = origin.as_ref().and_then(Uri::authority).map(Authority::as_str);
    authority.is_some() && authority == text(headers, header::HOST)
}

fn token_in(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Compares in a time that does not depend on the values.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let differing = a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machines_own_names_are_answered() {
        let local = Access::new("127.0.0.1".parse().unwrap(), None);
        for host in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"] {
            assert!(local.names_us(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "192.168.1.2", "", "localhost.evil"]
        {
            assert!(!local.names_us(host), "{host}");
        }
        let any = Access::new("0.0.0.0".parse().unwrap(), None);
        assert!(any.names_us("192.168.1.2:8080") && !any.names_us("mirror.example"));
    }

    #[test]
    fn an_origin_is_the_same_with_its_port() {
        let of = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8080"));
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            is_same_origin(&headers)
        };
        assert!(of("http://127.0.0.1:8080"));
        assert!(!of("http://127.0.0.1:9090") && !of("null") && !of("http://evil.example"));
        assert!(!is_same_origin(&HeaderMap::new()));
    }

    #[test]
    fn a_token_is_long_and_fits_in_a_cookie() {
        assert!(Token::new("0123456789abcdef").is_ok());
        assert!(Token::new("short").is_err() && Token::new("0123456789abcdef; x").is_err());
        assert_eq!(format!("{:?}", Token::new("0123456789abcdef").unwrap()), "Token(…)");
    }
}
