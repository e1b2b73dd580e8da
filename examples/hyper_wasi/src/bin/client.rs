//! An HTTP client of hyper_wasi.
//!
//! `client URL [TIMES]` gets a page, so many times over one connection, and prints it once.
//! `client URL --post BYTES` posts so many bytes and expects them back.

use std::env;
use std::error::Error;

use hyper::body::to_bytes;
use hyper::{Body, Client, Request, Uri};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [url] => get(url.parse()?, 1).await,
        [url, "--post", bytes] => post(url.parse()?, bytes.parse()?).await,
        [url, times] => get(url.parse()?, times.parse()?).await,
        _ => Err("usage: client URL [TIMES | --post BYTES]".into()),
    }
}

async fn get(url: Uri, times: usize) -> Result<(), Box<dyn Error>> {
    let client = Client::new();
    let mut page = Vec::new();
    for _ in 0..times {
        let response = client.get(url.clone()).await?;
        if !response.status().is_success() {
            return Err(format!("{url}: {}", response.status()).into());
        }
        page = to_bytes(response.into_body()).await?.to_vec();
    }
    print!("{}", String::from_utf8_lossy(&page));
    Ok(())
}

async fn post(url: Uri, bytes: usize) -> Result<(), Box<dyn Error>> {
    let data: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    let request = Request::post(url).body(Body::from(data.clone()))?;
    let response = Client::new().request(request).await?;
    let status = response.status();
    let echo = to_bytes(response.into_body()).await?;
    if echo != data {
        return Err(format!("{status}, and {} other bytes", echo.len()).into());
    }
    println!("{bytes} bytes came back");
    Ok(())
}
