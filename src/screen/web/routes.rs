//! Paths to answers.

use super::access::{self, Access};
use super::assets::{self, ASSETS};
use super::hub::Hub;
use super::jpeg;
use super::{Health, session};
use crate::picture::{Format, Picture};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// What a refusal says.
type Refusal = (StatusCode, &'static str);

const NOTHING: Refusal = (StatusCode::NOT_FOUND, "nothing is here\n");
const NO_LOOK: Refusal = (StatusCode::NOT_FOUND, "there is no such look, or it has been wiped\n");
const NO_PIECE: Refusal = (StatusCode::NOT_FOUND, "there is no such piece\n");
const NO_DOWNLOAD: Refusal = (StatusCode::FORBIDDEN, "the shop does not allow downloads\n");
const NOT_ENCODED: Refusal = (StatusCode::INTERNAL_SERVER_ERROR, "the look cannot be encoded\n");

pub(super) fn routes(hub: Arc<Hub>, health: Arc<dyn Health>, access: Access, page: bool) -> Router {
    let mut routes = Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(health);
    if page {
        routes = routes.merge(self::page(hub));
    }
    access::guarded(routes.fallback(async || NOTHING), access)
}

fn page(hub: Arc<Hub>) -> Router {
    let mut routes = Router::new()
        .route("/ws", get(session::open))
        .route("/piece/{*file}", get(piece))
        .route("/look/{number}/{file}", get(look));
    for &(path, kind, content) in ASSETS {
        routes = routes.route(path, get(async move || assets::asset(kind, content)));
    }
    routes.with_state(hub)
}

async fn healthz(State(health): State<Arc<dyn Health>>) -> Response {
    let (well, facts) = health.status();
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(facts)).into_response()
}

async fn metrics(State(health): State<Arc<dyn Health>>) -> Response {
    let text = health.metrics();
    let kind = if text.ends_with("# EOF\n") {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn piece(State(hub): State<Arc<Hub>>, Path(file): Path<String>) -> Result<Response, Refusal> {
    let id = file.strip_suffix(".png").ok_or(NO_PIECE)?;
    let view = hub.newest().ok_or(NO_PIECE)?;
    let piece = view.catalogue.pieces.iter().find(|piece| piece.id == id).ok_or(NO_PIECE)?;
    let png = Bytes::from_owner(Arc::clone(&piece.thumbnail));
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

async fn look(
    State(hub): State<Arc<Hub>>,
    Path((number, file)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let number = number.parse().map_err(|_| NO_LOOK)?;
    let look = hub.look(number).ok_or(NO_LOOK)?;
    let buffers = Arc::clone(&hub.buffers);
    match file.as_str() {
        "before.jpg" => jpeg(move || jpeg::encode(&look.before, jpeg::LOOK, &buffers).ok()).await,
        "after.jpg" => jpeg(move || jpeg::encode(&look.after, jpeg::LOOK, &buffers).ok()).await,
        "after.png" if !hub.newest().is_some_and(|view| view.shop.download) => Err(NO_DOWNLOAD),
        "after.png" => {
            let encode = move || png(&look.after, &buffers);
            let name = format!("attachment; filename=\"look-{number}.png\"");
            let headers =
                [(header::CONTENT_TYPE, "image/png".into()), (header::CONTENT_DISPOSITION, name)];
            Ok((headers, encoded(encode).await?).into_response())
        }
        _ => Err(NOTHING),
    }
}

fn png(picture: &Picture, buffers: &Arc<jpeg::Buffers>) -> Option<jpeg::Wiped> {
    let mut to = buffers.take();
    picture.encode(Format::Png, &mut to).ok()?;
    Some(to)
}

async fn jpeg(
    encode: impl FnOnce() -> Option<jpeg::Wiped> + Send + 'static,
) -> Result<Response, Refusal> {
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], encoded(encode).await?).into_response())
}

/// Runs an encoder beside the server's thread.
async fn encoded(
    encode: impl FnOnce() -> Option<jpeg::Wiped> + Send + 'static,
) -> Result<Bytes, Refusal> {
    let bytes = tokio::task::spawn_blocking(encode).await.ok().flatten().ok_or(NOT_ENCODED)?;
    Ok(Bytes::from_owner(bytes))
}
