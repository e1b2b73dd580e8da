//! What programs written for mio_wasi 0.8 name, and mio itself has not.

/// On Unix the name stands for std's own type, so that addresses go both ways.
#[test]
fn the_unix_address_is_stds() {
    let ours: fn(std::os::unix::net::SocketAddr) -> mio::net::SocketAddr = |address| address;
    let address = std::os::unix::net::SocketAddr::from_pathname("here").expect("a short path");
    assert_eq!(ours(address).as_pathname(), Some("here".as_ref()));
}
