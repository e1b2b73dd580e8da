//! Connections: kept, shared by requests in a row, upgraded, and ended at the wrong moment.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, upgrade};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::{self, JoinSet};

use super::{client, empty, full, get, local, post, serve, text};
use crate::{connected, listener, pair};

#[tokio::test]
async fn one_connection_serves_many_requests() {
    local(async {
        let (address, accepted) = serve(|request| async move {
            let path = request.uri().path().to_string();
            Response::new(full(path + " " + &text(request.into_body()).await))
        });
        let mut client = client(address).await;
        for number in 0..100 {
            client.ready().await.unwrap();
            let request = post(&format!("/{number}"), full(number.to_string()));
            let response = client.send_request(request).await.unwrap();
            let said = text(response.into_body()).await;
            assert_eq!(said, format!("/{number} {number}"));
        }
        assert_eq!(accepted.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn many_clients_are_served_at_once() {
    local(async {
        let (address, accepted) =
            serve(|request| async move { Response::new(full(request.uri().path().to_string())) });
        let mut clients = JoinSet::new();
        for number in 0..50 {
            clients.spawn_local(async move {
                let mut client = client(address).await;
                for round in 0..10 {
                    let path = format!("/{number}/{round}");
                    let response = client.send_request(get(&path)).await.unwrap();
                    assert_eq!(text(response.into_body()).await, path);
                }
            });
        }
        assert_eq!(clients.join_all().await.len(), 50);
        assert_eq!(accepted.get(), 50);
    })
    .await;
}

/// The first answer takes longest, and still is the first.
#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    local(async {
        let (address, accepted) = serve(|request| async move {
            if request.uri() == "/0" {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            Response::new(full(format!("<{}>", request.uri().path())))
        });
        let mut stream = connected(address).await;
        let mut requests = String::new();
        for number in 0..30 {
            let last = if number == 29 {
                "connection: close\r\n"
            } else {
                ""
            };
            requests += &format!("GET /{number} HTTP/1.1\r\nhost: test\r\n{last}\r\n");
        }
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        let bodies: Vec<&str> = answers.split('<').skip(1).collect();
        assert_eq!(bodies.len(), 30, "{answers}");
        for (number, body) in bodies.iter().enumerate() {
            assert!(body.starts_with(&format!("/{number}>")), "{answers}");
        }
        assert_eq!(accepted.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_upgraded_connection_is_a_stream() {
    local(async {
        let (address, _) = serve(|request| async move {
            assert_eq!(request.headers()[UPGRADE], "shout");
            task::spawn_local(async move {
                let upgraded = upgrade::on(request).await.unwrap();
                let mut stream = TokioIo::new(upgraded);
                let mut buf = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut buf).await {
                    buf[..length].make_ascii_uppercase();
                    stream.write_all(&buf[..length]).await.unwrap();
                }
                stream.write_all(b"bye").await.unwrap();
                stream.shutdown().await.unwrap();
            });
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("shout"));
            response
        });
        let mut request = get("/");
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("shout"));
        let response = client(address).await.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut stream = TokioIo::new(upgrade::on(response).await.unwrap());
        for round in 0..20 {
            let said = format!("hello {round}");
            stream.write_all(said.as_bytes()).await.unwrap();
            let mut heard = vec![0; said.len()];
            stream.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, said.to_uppercase().as_bytes());
        }
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "bye");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_goes_away_in_mid_body_is_noticed() {
    local(async {
        let (listener, address) = listener();
        task::spawn_local(async move {
            let (mut stream, _peer) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
            stream.write_all(half).await.unwrap();
        });
        let response = client(address).await.send_request(get("/")).await.unwrap();
        let mut body = response.into_body();
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "half");
        body.frame().await.unwrap().unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_away_in_mid_body_harms_nobody() {
    local(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let (address, _) = serve(move |request| {
            let tell = tell.clone();
            async move {
                tell.send(Ok(0)).unwrap();
                let body = request.into_body().collect().await;
                tell.send(body.map(|body| body.to_bytes().len())).unwrap();
                Response::new(empty())
            }
        });
        for reset in [false, true] {
            let mut stream = connected(address).await;
            let head = b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n1234";
            stream.write_all(head).await.unwrap();
            // The request has begun; a connection that is reset before may be accepted or not.
            assert_eq!(told.recv().await.unwrap().unwrap(), 0);
            if reset {
                mio::handover::SocketRef::<mio::net::TcpStream>::of(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
            drop(stream);
            let heard = told.recv().await.unwrap();
            assert!(heard.is_err(), "a whole body of {heard:?} bytes");
        }
        client(address)
            .await
            .send_request(post("/", full("whole")))
            .await
            .unwrap();
        assert_eq!(told.recv().await.unwrap().unwrap(), 0);
        assert_eq!(told.recv().await.unwrap().unwrap(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_away_before_its_answer_harms_nobody() {
    local(async {
        let begun = Rc::new(Notify::new());
        let gone = Rc::new(Notify::new());
        let (asked, go_on) = (begun.clone(), gone.clone());
        let (address, _) = serve(move |request| {
            let (asked, go_on) = (asked.clone(), go_on.clone());
            async move {
                if request.uri() == "/slow" {
                    asked.notify_one();
                    go_on.notified().await;
                }
                Response::new(full(vec![7; 1 << 20]))
            }
        });
        let mut stream = connected(address).await;
        stream
            .write_all(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n")
            .await
            .unwrap();
        begun.notified().await;
        drop(stream);
        gone.notify_one();
        let response = client(address).await.send_request(get("/")).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), 1 << 20);
    })
    .await;
}

/// The head of a request trickles in and never ends.
#[tokio::test]
async fn a_slow_client_is_timed_out() {
    let (mut slow, stream) = pair().await;
    let service = service_fn(|_: Request<_>| async { Err::<Response<super::Body>, _>("called") });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(20))
        .serve_connection(TokioIo::new(stream), service);
    let trickling = async {
        slow.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        // What it has not read makes the end a reset.
        let _ = slow.read_to_end(&mut Vec::new()).await;
    };
    let (served, ()) = tokio::join!(serving, trickling);
    assert!(served.unwrap_err().is_timeout());
}

/// What is being answered is answered to its end, and then the connection is closed.
#[tokio::test]
async fn a_graceful_shutdown_answers_first() {
    let (mut raw, stream) = pair().await;
    let (begun, go_on) = (Notify::new(), Notify::new());
    let service = service_fn(async |_: Request<_>| {
        begun.notify_one();
        go_on.notified().await;
        Ok::<_, std::convert::Infallible>(Response::new(full("to the end")))
    });
    let mut builder = http1::Builder::new();
    let mut serving = pin!(
        builder
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service)
    );
    let two = b"GET /1 HTTP/1.1\r\nhost: test\r\n\r\nGET /2 HTTP/1.1\r\nhost: test\r\n\r\n";
    raw.write_all(two).await.unwrap();
    tokio::select! {
        ended = &mut serving => panic!("it ended first: {ended:?}"),
        () = begun.notified() => serving.as_mut().graceful_shutdown(),
    }
    go_on.notify_one();
    serving.await.unwrap();
    let mut answers = Vec::new();
    // The second request was never read, so the end may be a reset.
    let _ = raw.read_to_end(&mut answers).await;
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.matches("to the end").count(), 1, "{answers}");
    assert!(answers.contains("connection: close"), "{answers}");
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    local(async {
        let (address, _) = serve(|_| async { Response::new(empty()) });
        let mut stream = connected(address).await;
        stream
            .write_all(b"no request at all\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_client_of_http_1_0_is_told_the_end_by_closing() {
    local(async {
        let (address, _) = serve(|_| async { Response::new(full("old")) });
        let mut stream = connected(address).await;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nold"), "{answer}");
    })
    .await;
}
