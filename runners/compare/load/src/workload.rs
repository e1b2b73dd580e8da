//! What the generator can do to a server.

use clap::ValueEnum;

#[derive(Copy, Clone, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// 64 bytes there and back.
    Echo,
    /// A connection, 64 bytes there and back, and its end.
    Churn,
    /// 1 MiB there and back, both at once.
    Stream,
    /// 64 bytes there, a header and a body back, to a client that delays its acknowledgements.
    Response,
    /// 64 bytes there and back as datagrams.
    Udp,
    /// One idle connection after another sends 64 bytes while the busy ones echo all the time.
    FirstByte,
}

impl Workload {
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or(String::new(), |value| value.get_name().to_owned())
    }
}
