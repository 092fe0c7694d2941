//! The page's server: who is let in, what a page is sent, what becomes of pictures.

#[path = "web/client.rs"]
mod client;

use client::{Page, Said, get};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use vitrine::garment::Category;
use vitrine::mirror::view::{Action, Catalogue, Look, Piece, Shop, Stage, View};
use vitrine::picture::Picture;
use vitrine::screen::Screen;
use vitrine::screen::web::{Health, Token, Web, WebOptions};

const TOKEN: &str = "0123456789abcdef-TOKEN";

struct Well(bool);

impl Health for Well {
    fn status(&self) -> (bool, serde_json::Value) {
        (self.0, serde_json::json!({ "camera": "synthetic" }))
    }

    fn metrics(&self) -> String {
        "frames_total 7\n".into()
    }
}

fn start_with(options: WebOptions) -> Web {
    Web::start(options, Arc::new(Well(true))).unwrap()
}

fn options() -> WebOptions {
    WebOptions { listen: "127.0.0.1:0".parse().unwrap(), allow_remote: None, page: true }
}

fn start() -> (Web, SocketAddr) {
    let web = start_with(options());
    let address = web.address();
    (web, address)
}

fn picture(value: u8) -> Arc<Picture> {
    Arc::new(Picture::from_rgb8(
        160,
        120,
        (0..160 * 120 * 3).map(|i| value ^ (i * 31 % 251) as u8).collect(),
    ))
}

fn view(number: u64, stage: Stage) -> View {
    let thumbnail: Arc<[u8]> = Arc::from(b"\x89PNG".as_slice());
    let piece = |id: &str| Piece {
        id: id.into(),
        name: "Tee".into(),
        category: Category::TShirt,
        thumbnail: Arc::clone(&thumbnail),
    };
    let pieces = vec![piece("tops/tee red"), piece("tops/tee-white")];
    View {
        number,
        captured: Instant::now(),
        stage,
        picture: Some(picture(number as u8)),
        trouble: None,
        hint: None,
        hand: None,
        catalogue: Arc::new(Catalogue { version: 1, pieces, broken: vec![] }),
        wearing: vec![],
        looks: vec![],
        shop: Arc::new(Shop::default()),
    }
}

fn with_look(number: u64, download: bool) -> Arc<View> {
    let look =
        Look { number: 3, wearing: vec![], before: picture(1), after: picture(2), focus: 0.5 };
    let shop = Arc::new(Shop { download, ..Shop::default() });
    Arc::new(View { looks: vec![Arc::new(look)], shop, ..view(number, Stage::Result) })
}

/// Asks until it holds.
fn wait(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn other_machines_need_a_token() {
    let remote = WebOptions { listen: "0.0.0.0:0".parse().unwrap(), ..options() };
    let error = Web::start(remote.clone(), Arc::new(Well(true))).err().unwrap().to_string();
    assert!(error.contains("--allow-remote"), "{error}");

    let web = start_with(WebOptions { allow_remote: Some(Token::new(TOKEN).unwrap()), ..remote });
    let address = SocketAddr::from(([127, 0, 0, 1], web.address().port()));
    for path in [
        "/",
        "/healthz",
        "/metrics",
        "/ws",
        "/?token=wrong",
        "/healthz?token=0123456789abcdef-TOKEN",
    ] {
        assert_eq!(get(address, path, &[]).status, 401, "{path}");
    }
    let entered = get(address, &format!("/?token={TOKEN}"), &[]);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")));
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(get(address, "/", &[("Cookie", &format!("a=b; {cookie}"))]).status, 200);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(get(address, "/healthz", &[("Authorization", &bearer)]).status, 200);
}

#[test]
fn a_name_that_is_not_the_machines_is_refused() {
    let (_web, address) = start();
    assert_eq!(get(address, "/", &[("Host", "evil.example")]).status, 403);
    assert_eq!(get(address, "/", &[("Host", "localhost:1")]).status, 200);
}

#[test]
fn a_page_of_another_origin_gets_no_session() {
    let (_web, address) = start();
    assert_eq!(Page::try_open(address, "http://evil.example").err(), Some(403));
    assert_eq!(Page::try_open(address, "null").err(), Some(403));
}

#[test]
fn every_answer_forbids_what_is_not_needed() {
    let (_web, address) = start();
    for path in ["/", "/code/main.js", "/nothing", "/healthz"] {
        let answer = get(address, path, &[]);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
    assert_eq!(get(address, "/nothing", &[]).status, 404);
}

#[test]
fn health_has_a_page_without_the_mirrors() {
    let web = Web::start(WebOptions { page: false, ..options() }, Arc::new(Well(false))).unwrap();
    let health = get(web.address(), "/healthz", &[]);
    assert_eq!(health.status, 503);
    assert!(String::from_utf8(health.body).unwrap().contains("synthetic"));
    assert!(get(web.address(), "/metrics", &[]).body.starts_with(b"frames_total"));
    assert_eq!(get(web.address(), "/", &[]).status, 404);
    assert_eq!(get(web.address(), "/ws", &[]).status, 404);
}

#[test]
fn a_page_gets_the_state_and_one_picture_at_a_time() {
    let (mut web, address) = start();
    web.show(&Arc::new(view(1, Stage::Live))).unwrap();
    assert_eq!(web.seen().len(), 1, "without a page, shown is seen");
    let mut page = Page::open(address);
    assert_eq!(page.hear_text("catalogue")["pieces"][0]["category"], "t-shirt");
    assert_eq!(page.hear_text("state")["stage"]["name"], "live");
    let (number, jpeg) = page.hear_picture();
    assert!(number == 1 && jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));

    web.show(&Arc::new(view(2, Stage::Live))).unwrap();
    web.show(&Arc::new(view(3, Stage::Live))).unwrap();
    assert!(web.seen().is_empty(), "nothing is acknowledged yet");
    page.say(r#"{"do":"seen","view":1}"#);
    assert_eq!(page.hear_picture().0, 3, "the newest is next, the one between is dropped");
    let mut seen = vec![];
    wait(|| {
        seen.extend(web.seen());
        !seen.is_empty()
    });
    assert_eq!(seen[0].number, 1);
    assert_eq!(web.counters().pictures.load(Ordering::Relaxed), 2);
}

#[test]
fn no_picture_leaves_before_the_shopper_agreed() {
    let (mut web, address) = start();
    web.show(&Arc::new(view(1, Stage::Consent))).unwrap();
    let mut page = Page::open(address);
    assert_eq!(page.hear_picture(), (1, vec![]));
}

#[test]
fn what_the_shopper_does_arrives_and_nonsense_is_counted() {
    let (mut web, address) = start();
    let mut page = Page::open(address);
    page.say("nonsense");
    page.send(0x82, &[1, 2, 3]);
    page.say(r#"{"do":"seen","view":99}"#);
    page.say(r#"{"do":"wear","piece":"tops/tee red"}"#);
    let mut actions = vec![];
    wait(|| {
        actions.extend(web.actions());
        !actions.is_empty()
    });
    assert_eq!(actions, [Action::Wear("tops/tee red".into())]);
    assert_eq!(web.counters().ignored.load(Ordering::Relaxed), 3);
    page.send(0x81, &[b' '; 5000]);
    while page.hear() != Said::Closed {}
}

#[test]
fn a_newer_page_takes_over() {
    let (mut web, address) = start();
    web.show(&Arc::new(view(1, Stage::Live))).unwrap();
    let mut first = Page::open(address);
    first.hear_picture();
    let mut second = Page::open(address);
    first.hear_text("taken");
    while first.hear() != Said::Closed {}
    assert_eq!(second.hear_picture().0, 1);
    drop(second);
    wait(|| {
        web.seen();
        web.show(&Arc::new(view(2, Stage::Live))).unwrap();
        !web.seen().is_empty()
    });
}

#[test]
fn thumbnails_are_found_by_their_path() {
    let (mut web, address) = start();
    web.show(&Arc::new(view(1, Stage::Live))).unwrap();
    let answer = get(address, "/piece/tops/tee%20red.png?v=1", &[]);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")));
    for path in ["/piece/none.png", "/piece/tops/tee%20red", "/piece/..%2f..%2fetc/passwd"] {
        assert_eq!(get(address, path, &[]).status, 404, "{path}");
    }
}

#[test]
fn looks_end_with_the_visit() {
    let (mut web, address) = start();
    web.show(&with_look(1, false)).unwrap();
    let after = get(address, "/look/3/after.jpg", &[]);
    assert_eq!((after.status, after.header("cache-control")), (200, Some("no-store")));
    assert!(after.body.starts_with(&[0xff, 0xd8]));
    assert_eq!(get(address, "/look/3/before.jpg", &[]).status, 200);
    assert_eq!(get(address, "/look/3/after.png", &[]).status, 403);
    for path in ["/look/4/after.jpg", "/look/x/after.jpg", "/look/3/else.jpg"] {
        assert_eq!(get(address, path, &[]).status, 404, "{path}");
    }
    web.show(&with_look(2, true)).unwrap();
    let png = get(address, "/look/3/after.png", &[]);
    assert!(png.body.starts_with(b"\x89PNG"));
    assert!(png.header("content-disposition").unwrap().contains("attachment"));

    let mut page = Page::open(address);
    page.hear_text("state");
    web.wipe();
    page.hear_text("wipe");
    assert_eq!(get(address, "/look/3/after.jpg", &[]).status, 404);
}

#[test]
fn the_server_ends_with_a_page_open() {
    let (web, address) = start();
    let mut page = Page::open(address);
    drop(web);
    while page.hear() != Said::Closed {}
    assert!(std::net::TcpStream::connect(address).is_err());
}
