//! What a node is held against: actix-web and nothing else.

use actix_web::{App, HttpResponse, HttpServer, http::header, web};
use bytes::Bytes;

/// Serves on a free port until it is killed, and prints the port.
pub(crate) fn serve() -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(async {
        let page = Bytes::from("x".repeat(super::bench::PAGE_BYTES));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(page.clone()))
                .route("/", web::post().to(echo))
                .route("/page", web::get().to(page_of))
        })
        .bind(("127.0.0.1", 0))?;
        for address in server.addrs() {
            println!("listening on http://{address}");
        }
        server.run().await?;
        Ok(())
    })
}

/// Decodes JSON and encodes it again, as a call that echoes does.
async fn echo(body: web::Json<serde_json::Value>) -> web::Json<serde_json::Value> {
    body
}

/// The same bytes for everybody, as a page out of the cache is.
async fn page_of(page: web::Data<Bytes>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(page.get_ref().clone())
}
