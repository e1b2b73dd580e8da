//! A guest as users of wasmedge_wasi_socket write it, without an event loop: all its calls block.
//!
//! `sockets-published` looks up a name, exchanges datagrams with itself, and then echoes two TCP
//! connections, one after the other. It prints what it did.

#[cfg(target_os = "wasi")]
mod guest {
    use std::io::{self, ErrorKind, Read, Write};

    use wasmedge_wasi_socket::{SocketAddr, TcpListener, TcpStream, UdpSocket, nslookup};

    /// So many connections are served.
    const CONNECTIONS: usize = 2;
    const QUESTION: &[u8] = b"is anybody there?";
    const ANSWER: &[u8] = b"yes";

    pub fn main() -> io::Result<()> {
        for address in nslookup("localhost", "80")? {
            println!("localhost is {address}");
        }
        datagrams()?;
        serve()
    }

    /// Both ends are this program's. Who sent a datagram is not looked at: this version of the
    /// crate does not know.
    fn datagrams() -> io::Result<()> {
        let (one, other) = (socket()?, socket()?);
        exchange(&one, QUESTION, &other)?;
        exchange(&other, ANSWER, &one)
    }

    fn socket() -> io::Result<UdpSocket> {
        UdpSocket::bind("127.0.0.1:0")
    }

    fn exchange(from: &UdpSocket, sent: &[u8], to: &UdpSocket) -> io::Result<()> {
        let address = SocketAddr::from(([127, 0, 0, 1], port(to.as_ref())?));
        let count = from.send_to(sent, address)?;
        let mut come = [0; 64];
        let (length, _) = to.recv_from(&mut come)?;
        let text = String::from_utf8_lossy(&come[..length]);
        println!("{count} bytes went and {length} came: {text}");
        Ok(())
    }

    fn serve() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0", false)?;
        println!("listening tcp 127.0.0.1:{}", port(listener.as_ref())?);
        io::stdout().flush()?;
        for stream in listener.incoming().take(CONNECTIONS) {
            let count = echo(stream?)?;
            println!("echoed {count} bytes");
        }
        Ok(())
    }

    /// The port alone: this version of the crate does not know the address in a release build.
    fn port(socket: &wasmedge_wasi_socket::socket::Socket) -> io::Result<u16> {
        Ok(socket.get_local()?.port())
    }

    /// Until the client has sent all.
    fn echo(mut stream: TcpStream) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        let mut total = 0;
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(length) => {
                    stream.write_all(&buffer[..length])?;
                    total += length;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(target_os = "wasi")]
fn main() -> std::io::Result<()> {
    guest::main()
}

#[cfg(not(target_os = "wasi"))]
fn main() {
    eprintln!("this program is for wasm32-wasip1");
}
