//! Bodies that come in pieces: both ways at once, with trailers, larger than what the system holds,
//! and left unread.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt, Channel};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task;

use super::{Body, client, client_of, full, get, local, pieces, post, serve, text};
use crate::{connected, hold_little, pattern};

const SUM: HeaderName = HeaderName::from_static("x-sum");

/// Sends the frames of `body` on as they come, trailers included.
fn passed_on(mut body: Incoming) -> Body {
    let (mut sender, passed) = pieces();
    task::spawn_local(async move {
        while let Some(Ok(frame)) = body.frame().await {
            if sender.send(frame).await.is_err() {
                return;
            }
        }
    });
    passed
}

/// Each piece is sent only when the one before is back: nothing on the way collects them.
#[tokio::test]
async fn chunks_stream_both_ways() {
    local(async {
        let (address, _) = serve(|request| async {
            assert_eq!(request.headers()[TRANSFER_ENCODING], "chunked");
            Response::new(passed_on(request.into_body()))
        });
        let (mut sender, body) = pieces();
        let response = client(address)
            .await
            .send_request(post("/", body))
            .await
            .unwrap();
        assert_eq!(response.headers()[TRANSFER_ENCODING], "chunked");
        let mut back = response.into_body();
        for round in 1..50 {
            let piece = Bytes::from(pattern(round * 100));
            sender.send_data(piece.clone()).await.unwrap();
            let mut heard = Vec::new();
            // A piece may be cut where a read ended.
            while heard.len() < piece.len() {
                let frame = back.frame().await.unwrap().unwrap();
                heard.extend_from_slice(&frame.into_data().unwrap());
            }
            assert_eq!(heard, piece);
        }
        drop(sender);
        assert!(back.frame().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn trailers_follow_a_body_both_ways() {
    local(async {
        let (address, _) = serve(|request| async {
            let mut response = Response::new(passed_on(request.into_body()));
            response
                .headers_mut()
                .insert(TRAILER, HeaderValue::from_static("x-sum"));
            response
        });
        let (mut sender, body) = pieces();
        let mut request = post("/", body);
        let headers = request.headers_mut();
        headers.insert(TRAILER, HeaderValue::from_static("x-sum"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let response = client(address).await.send_request(request).await.unwrap();
        sender.send_data("one".into()).await.unwrap();
        sender.send_data("two".into()).await.unwrap();
        let sum = HeaderMap::from_iter([(SUM, HeaderValue::from_static("six"))]);
        sender.send_trailers(sum.clone()).await.unwrap();
        drop(sender);
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&sum));
        assert_eq!(collected.to_bytes(), "onetwo");
    })
    .await;
}

#[tokio::test]
async fn a_body_larger_than_what_the_system_holds() {
    local(async {
        let (address, _) = serve(|request| async { Response::new(passed_on(request.into_body())) });
        let message = Bytes::from(pattern(5 << 20));
        let stream = connected(address).await;
        hold_little(&stream);
        let mut client = client_of(stream).await;
        for _ in 0..2 {
            client.ready().await.unwrap();
            let request = post("/", full(message.clone()));
            let response = client.send_request(request).await.unwrap();
            let back = response.into_body().collect().await.unwrap().to_bytes();
            assert!(back == message);
        }
    })
    .await;
}

/// A reader that pauses holds the writer back: it is never far ahead.
#[tokio::test]
async fn a_slow_reader_holds_the_writer_back() {
    local(async {
        const PIECE: usize = 64 * 1024;
        const PIECES: usize = 500;
        let sent = Rc::new(Cell::new(0));
        let count = sent.clone();
        let (address, _) = serve(move |_| {
            let count = count.clone();
            async move {
                let (mut sender, body) = pieces();
                task::spawn_local(async move {
                    for number in 1..=PIECES {
                        sender.send_data(vec![7; PIECE].into()).await.unwrap();
                        count.set(number);
                    }
                });
                Response::new(body)
            }
        });
        let stream = connected(address).await;
        hold_little(&stream);
        let mut client = client_of(stream).await;
        let response = client.send_request(get("/")).await.unwrap();
        let mut body = response.into_body();
        // However long nobody reads.
        for _ in 0..2_000 {
            task::yield_now().await;
        }
        assert!(sent.get() < PIECES, "all of it was sent to nobody");
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(length, PIECE * PIECES);
    })
    .await;
}

/// The server answers without the rest of the body, and the client hears it.
#[tokio::test]
async fn a_body_that_nobody_reads_to_its_end() {
    local(async {
        let (address, accepted) = serve(|request| async {
            let mut body = request.into_body();
            let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(!body.is_end_stream());
            drop(body);
            let mut response = Response::new(full(first));
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            response
        });
        for round in 1..=3 {
            let (mut sender, body) = pieces();
            let mut client = client(address).await;
            sender.send_data("the beginning".into()).await.unwrap();
            let response = client.send_request(post("/", body)).await.unwrap();
            assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(text(response.into_body()).await, "the beginning");
            // Whether it is taken or not, nobody waits for it for ever.
            while sender.send_data(vec![0; 1 << 16].into()).await.is_ok() {}
            assert_eq!(accepted.get(), round);
        }
    })
    .await;
}

/// The client stops reading an answer; the server's task is told, and ends.
#[tokio::test]
async fn an_answer_that_is_dropped_half_read() {
    local(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let (address, _) = serve(move |_| {
            let tell = tell.clone();
            async move {
                let (mut sender, body) = pieces();
                task::spawn_local(async move {
                    while sender.send_data(vec![7; 1 << 16].into()).await.is_ok() {}
                    tell.send(()).unwrap();
                });
                Response::new(body)
            }
        });
        for _ in 0..3 {
            let response = client(address).await.send_request(get("/")).await.unwrap();
            let mut body = response.into_body();
            body.frame().await.unwrap().unwrap();
            drop(body);
            told.recv().await.unwrap();
        }
    })
    .await;
}

/// A body that fails on its way is cut off, so that the client does not take it for whole.
#[tokio::test]
async fn a_body_that_fails_is_not_taken_for_whole() {
    let (mut raw, stream) = crate::pair().await;
    let service = service_fn(async |_| {
        let (mut sender, body) = Channel::<Bytes, &str>::new(1);
        sender.send_data("half".into()).await.unwrap();
        sender.abort("the disk is gone");
        Ok::<_, Infallible>(Response::new(body))
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    raw.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
        .await
        .unwrap();
    serving.await.unwrap_err();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).await.unwrap();
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

/// A request in pieces of one byte is a request.
#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    local(async {
        let (address, _) =
            serve(|request| async { Response::new(full(text(request.into_body()).await)) });
        let mut stream = connected(address).await;
        let request = b"POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
            transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        for byte in request {
            stream.write_all(&[*byte]).await.unwrap();
            task::yield_now().await;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\nabcde"), "{answer}");
    })
    .await;
}
