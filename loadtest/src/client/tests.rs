//! Many requests on one connection.

use std::{cell::Cell, convert::Infallible, rc::Rc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Response, server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

use super::*;
use crate::target::Place;

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(test)
}

/// A server that gives back what it gets by HTTP/2, and the connections that it took.
async fn echo() -> (Place, Rc<Cell<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let connections = Rc::new(Cell::new(0));
    let counted = Rc::clone(&connections);
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.update(|count| count + 1);
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(Response::new(Full::new(body)))
            });
            let serving =
                http2::Builder::new(http2_executor()).serve_connection(TokioIo::new(stream), service);
            spawn_local(async move { drop(serving.await) });
        }
    });
    (place, connections)
}

fn http2_executor() -> super::http2::Local {
    super::http2::Local
}

fn post(body: Bytes) -> Request {
    Request {
        method: Method::POST,
        path: "/a?b=c".to_owned(),
        headers: HeaderMap::new(),
        body: Body::Whole(body),
        abort_after: None,
    }
}

fn client(place: &Place, http: Http) -> Rc<Client> {
    let endpoint = place.endpoint(&Trust::System, http).unwrap();
    Rc::new(Client::new(endpoint, &Settings { http, connections_max: 4 }))
}

async fn exchange(client: &Client, request: Request) -> End {
    let timeout = Instant::now() + Duration::from_secs(20);
    match client.seat(timeout).await {
        Ok(seat) => client.exchange(seat, request, timeout).await,
        Err(end) => end,
    }
}

#[test]
fn http2_carries_requests_of_many_on_one_connection() {
    on_one_thread(async {
        let (place, connections) = echo().await;
        let client = client(&place, Http::Two);
        let requests = (0..50).map(|number| {
            let client = Rc::clone(&client);
            spawn_local(async move {
                // Larger than a frame, so that an answer comes in several.
                let body = Bytes::from(vec![number; 40_000]);
                match exchange(&client, post(body.clone())).await {
                    End::Answered(answer) => assert_eq!((answer.status, answer.body), (200, body)),
                    other => panic!("{other:?}"),
                }
            })
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap();
        }
        assert_eq!(connections.get(), 1);
    });
}

/// To HTTP/1.1, the preface of HTTP/2 is garbage, and so is what comes back.
#[test]
fn a_server_of_another_http_breaks_requests_and_says_why() {
    on_one_thread(async {
        let (place, _) = echo().await;
        let end = exchange(&client(&place, Http::One), post(Bytes::new())).await;
        assert!(matches!(&end, End::Broken(_)), "{end:?}");
    });
}

#[test]
fn nobody_listens_where_nobody_is() {
    on_one_thread(async {
        // Bound and closed again: nobody else gets it that soon.
        let place = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Place::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
        };
        for http in [Http::One, Http::Two] {
            let end = exchange(&client(&place, http), post(Bytes::new())).await;
            let End::Broken(why) = end else { panic!("{end:?}") };
            assert!(why.contains("cannot connect to 127.0.0.1:"), "{why}");
        }
    });
}
