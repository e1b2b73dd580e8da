//! An HTTP server of hyper_wasi: it greets, gives back what is posted to `/echo`, and tells at
//! `/connections` how many there have been.
//!
//! Its argument is where it listens, by default `127.0.0.1:8080`.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hyper::service::{make_service_fn, service_fn};
use hyper::{Body, Method, Request, Response, Server, StatusCode};

static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    let service = make_service_fn(|_connection| {
        CONNECTIONS.fetch_add(1, Relaxed);
        async { Ok::<_, Infallible>(service_fn(answer)) }
    });
    let server = Server::try_bind(&address)?.serve(service);
    let address = server.local_addr();
    println!("listening tcp {address}");
    println!("try: curl -i http://{address}/");
    println!("try: curl -i --data hello http://{address}/echo");
    server.await?;
    Ok(())
}

async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::POST, "/echo") => request.into_body(),
        (&Method::GET, "/connections") => {
            let count = CONNECTIONS.load(Relaxed);
            Body::from(format!("{count}\n"))
        }
        (&Method::GET, _) => Body::from("hello, world\n"),
        _ => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    Ok(Response::new(body))
}
