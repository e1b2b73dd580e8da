//! The smallest event loop: a server and a client in one thread, told apart by their tokens.
//!
//! ```sh
//! cargo guest run --release --example quick_start
//! ```

use std::error::Error;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const SERVER: Token = Token(0);
const CLIENT: Token = Token(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);

    let mut server = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let address = server.local_addr()?;
    poll.registry()
        .register(&mut server, SERVER, Interest::READABLE)?;

    let mut client = TcpStream::connect(address)?;
    poll.registry()
        .register(&mut client, CLIENT, Interest::READABLE | Interest::WRITABLE)?;

    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                SERVER => {
                    let (connection, peer) = server.accept()?;
                    println!("accepted {peer}; the client is {}", client.local_addr()?);
                    drop(connection);
                }
                CLIENT => {
                    if event.is_writable() {
                        println!("connected to {address}");
                    }
                    if event.is_readable() {
                        println!("the server has closed the connection");
                        return Ok(());
                    }
                }
                _ => unreachable!("only two tokens are registered"),
            }
        }
    }
}
