//! A web client of reqwest_wasi.
//!
//! `fetch URL` prints a page. `fetch URL BYTES` posts so many bytes and expects them back.

use std::env;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let url = args.next().ok_or("usage: fetch URL [BYTES]")?;
    let Some(bytes) = args.next() else {
        let response = reqwest::get(url).await?.error_for_status()?;
        print!("{}", response.text().await?);
        return Ok(());
    };
    let digits = "0123456789".chars().cycle();
    let data: String = digits.take(bytes.parse()?).collect();
    let client = reqwest::Client::new();
    let response = client.post(url).body(data.clone()).send().await?;
    let echo = response.error_for_status()?.text().await?;
    if echo != data {
        return Err(format!("{} other bytes came back", echo.len()).into());
    }
    println!("{} bytes came back", data.len());
    Ok(())
}
