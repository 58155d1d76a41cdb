//! Pages as they are answered, without the server around them.

mod flights;
mod payloads;
mod unleased;

use actix_web::{body::to_bytes, test::TestRequest};
use callboard_cluster::cache::Arrived;

use super::*;
use crate::{App, Html, PageContext, page, settings::Sources};

#[page("/unit/render")]
async fn rendering(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

/// A node that is alone, and so has everything.
async fn node(state: &tempfile::TempDir, settings: &[(&str, &str)]) -> Arc<Node> {
    let folder = state.path().to_str().expect("text");
    let usual = [("state_dir", folder), ("log", "off")];
    let texts = usual.iter().chain(settings).map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let settings = Sources::of_test(texts).expect("settings");
    crate::app::start(App::new("unit"), settings).await.expect("the node starts")
}

fn request(path: &str) -> HttpRequest {
    TestRequest::get().uri(path).to_http_request()
}

fn key(path: &str) -> PageKeyRef<'_> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    PageKeyRef { host: "", path, query }
}

fn leased(node: &Node) -> Asked {
    Asked::at(node, clock::core_now())
}

/// The node has no lease.
fn fenced(node: &Node) -> Asked {
    let asked = leased(node);
    Asked { fenced: true, arrived: Arrived { leased: false, ..asked.arrived }, ..asked }
}

/// The client saw what the node has not.
fn ahead(node: &Node) -> Asked {
    let asked = leased(node);
    Asked { arrived: Arrived { leased: false, ..asked.arrived }, ahead: true, ..asked }
}

async fn ask(node: &Arc<Node>, path: &str, asked: Asked) -> (u16, String, String) {
    let response = answer(&request(path), node, key(path), asked).await;
    let status = response.status().as_u16();
    let cache = response.headers().get(headers::CACHE_STATUS);
    let cache = cache.map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default();
    let body = to_bytes(response.into_body()).await.expect("a body");
    (status, cache, String::from_utf8(body.to_vec()).expect("text"))
}

#[test]
fn a_path_that_a_browser_takes_for_another_host_does_not_stay_here() {
    for path in ["/", "/a", "/a//b", "/?next=//x"] {
        assert!(stays_here(path), "{path}");
    }
    for path in ["", "a", "//x", "/\\x", "https://x"] {
        assert!(!stays_here(path), "{path}");
    }
}
