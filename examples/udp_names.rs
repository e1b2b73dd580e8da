//! A small DNS server over UDP, in the care of tokio, which has no UDP of its own on WASI: one
//! source for a guest in WasmEdge and for Linux.
//!
//! ```sh
//! cargo guest run --release --example udp_names
//! cargo run --release --example udp_names
//! ```
//!
//! Its argument is where it listens, by default `127.0.0.1:5300`. It prints how to ask it, and
//! answers until it is stopped. It knows `hello.example`, `ip.example`, which is whoever asks, and
//! `now.example`, whose text is the time; other names do not exist. Whatever bytes arrive, it
//! answers them or says nothing, and goes on.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::SystemTime;

use mio::handover::{self, SocketRef};
use mio::net::UdpSocket;
use simple_dns::rdata::{OPT, RData, TXT};
use simple_dns::{
    CLASS, CharacterString, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE,
    ResourceRecord, header_buffer,
};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Of the addresses that are reserved for documents.
const HELLO_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const HELLO_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// How long an answer may be kept, in seconds.
const LONG: u32 = 300;

/// The largest datagram that is asked for and read: no network on the way has to split it.
const ROOM: u16 = 1232;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address: SocketAddr = address.as_deref().unwrap_or("127.0.0.1:5300").parse()?;
    let socket = UdpSocket::bind(address)?;
    print_usage(socket.local_addr()?);
    // Tokio waits for it as for a stream, and `udp` is what sends and receives.
    let socket = handover::adopted(socket, TcpStream::from_std)?;
    let udp = SocketRef::<UdpSocket>::of(&socket);
    let mut query = [0; ROOM as usize];
    loop {
        let received = socket.async_io(Interest::READABLE, || udp.recv_from(&mut query));
        // A server lives through any error: each one belongs to a datagram, as the next has none.
        let Ok((length, asker)) = received.await else {
            continue;
        };
        if let Some(reply) = answer(&query[..length], asker) {
            let sent = socket.async_io(Interest::WRITABLE, || udp.send_to(&reply, asker));
            // Who asked has gone, or has no way back.
            let _ = sent.await;
        }
    }
}

fn print_usage(address: SocketAddr) {
    println!("listening udp {address}");
    let (ip, port) = (address.ip(), address.port());
    println!("try: dig @{ip} -p {port} hello.example");
    println!("try: dig @{ip} -p {port} now.example TXT");
    // The same question byte by byte; the address is the end of the answer.
    let question = r"\0\1\1\0\0\1\0\0\0\0\0\0\5hello\7example\0\0\1\0\1";
    let ask = format!("exec 3<>/dev/udp/{ip}/{port}; printf \"{question}\" >&3");
    println!("try: bash -c '{ask}; dd bs=512 count=1 status=none <&3 | tail -c 4 | od -An -tu1'");
}

/// The reply to a datagram; none to what is no query, such as another server's reply.
fn answer(query: &[u8], asker: SocketAddr) -> Option<Vec<u8>> {
    let id = header_buffer::id(query).ok()?;
    if header_buffer::has_flags(query, PacketFlag::RESPONSE).ok()? {
        return None;
    }
    let mut reply = Packet::new_reply(id);
    *reply.opcode_mut() = header_buffer::opcode(query).ok()?;
    match one_question(query) {
        Some(query) => fill(&mut reply, &query, asker),
        None => *reply.rcode_mut() = RCODE::FormatError,
    }
    reply.build_bytes_vec_compressed().ok()
}

/// A query as every resolver makes one: a single question, and what it says of itself. The counts
/// come first, since parsing makes room for as many as are claimed.
fn one_question(query: &[u8]) -> Option<Packet<'_>> {
    let counts = [
        header_buffer::questions(query).ok()?,
        header_buffer::answers(query).ok()?,
        header_buffer::name_servers(query).ok()?,
    ];
    let about_itself = header_buffer::additional_records(query).ok()?;
    if counts != [1, 0, 0] || about_itself > 2 {
        return None;
    }
    Packet::parse(query).ok()
}

fn fill<'a>(reply: &mut Packet<'a>, query: &Packet<'a>, asker: SocketAddr) {
    let question = &query.questions[0];
    reply.questions.push(question.clone());
    if query.opt().is_some() {
        *reply.opt_mut() = Some(OPT {
            opt_codes: Vec::new(),
            udp_packet_size: ROOM,
            version: 0,
        });
    }
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    let in_class = matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY);
    *reply.rcode_mut() = if query.opcode() != OPCODE::StandardQuery {
        RCODE::NotImplemented
    } else if !in_class {
        RCODE::Refused
    } else {
        reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
        match records(question, asker.ip().to_canonical()) {
            Some(records) => {
                reply.answers = records;
                RCODE::NoError
            }
            None => RCODE::NameError,
        }
    };
}

/// Those that the zone has for a question; `None` where there is no such name.
fn records<'a>(question: &Question<'a>, asker: IpAddr) -> Option<Vec<ResourceRecord<'a>>> {
    let name = question.qname.to_string().to_ascii_lowercase();
    let (ttl, all) = match name.as_str() {
        "hello.example" => {
            let addresses = [RData::A(HELLO_V4.into()), RData::AAAA(HELLO_V6.into())];
            (
                LONG,
                addresses.into_iter().chain(text("hello, world")).collect(),
            )
        }
        "ip.example" => {
            let address = match asker {
                IpAddr::V4(address) => RData::A(address.into()),
                IpAddr::V6(address) => RData::AAAA(address.into()),
            };
            (
                0,
                Vec::from_iter(
                    [Some(address), text(&asker.to_string())]
                        .into_iter()
                        .flatten(),
                ),
            )
        }
        "now.example" => {
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            let now = format!("{} seconds since 1970", now.as_secs());
            (0, Vec::from_iter(text(&now)))
        }
        _ => return None,
    };
    let wanted = |data: &RData| match question.qtype {
        QTYPE::TYPE(wanted) => data.type_code() == wanted,
        QTYPE::ANY => true,
        _ => false,
    };
    let record = |data| ResourceRecord::new(question.qname.clone(), CLASS::IN, ttl, data);
    Some(all.into_iter().filter(wanted).map(record).collect())
}

/// None where it is longer than a text may be: 255 bytes.
fn text(text: &str) -> Option<RData<'static>> {
    let text = CharacterString::new(text.as_bytes()).ok()?.into_owned();
    Some(RData::TXT(TXT::new().with_char_string(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::{Name, TYPE};

    const ASKER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 999);

    fn query(name: &str, qtype: QTYPE) -> Vec<u8> {
        let mut query = Packet::new_query(77);
        query.set_flags(PacketFlag::RECURSION_DESIRED);
        let name = Name::new(name).unwrap();
        let class = QCLASS::CLASS(CLASS::IN);
        query
            .questions
            .push(Question::new(name, qtype, class, false));
        query.build_bytes_vec().unwrap()
    }

    /// What the reply to `query` says: its code, and its data as Rust shows it.
    fn ask(query: &[u8]) -> (RCODE, Vec<String>) {
        let reply = answer(query, ASKER).expect("a reply");
        let reply = Packet::parse(&reply).unwrap();
        assert_eq!(reply.id(), 77);
        assert!(reply.has_flags(PacketFlag::RESPONSE));
        let data = reply.answers.iter().map(|r| format!("{:?}", r.rdata));
        (reply.rcode(), data.collect())
    }

    #[test]
    fn the_zone_is_answered() {
        let asked = |name, qtype| ask(&query(name, QTYPE::TYPE(qtype)));
        let (code, data) = asked("hello.example", TYPE::A);
        assert_eq!(code, RCODE::NoError);
        assert_eq!(data, [format!("{:?}", RData::A(HELLO_V4.into()))]);
        // Names have no case.
        assert_eq!(asked("Hello.EXAMPLE", TYPE::AAAA).1.len(), 1);
        assert_eq!(ask(&query("hello.example", QTYPE::ANY)).1.len(), 3);
        let (_, data) = asked("ip.example", TYPE::A);
        let seven = Ipv4Addr::new(198, 51, 100, 7);
        assert_eq!(data, [format!("{:?}", RData::A(seven.into()))]);
        assert_eq!(asked("now.example", TYPE::TXT).1.len(), 1);
        // It is there, but has no such record.
        assert_eq!(asked("ip.example", TYPE::AAAA), (RCODE::NoError, vec![]));
        assert_eq!(asked("hello.example", TYPE::MX), (RCODE::NoError, vec![]));
        assert_eq!(asked("other.example", TYPE::A), (RCODE::NameError, vec![]));
    }

    #[test]
    fn what_is_no_query_is_told_so_or_ignored() {
        let good = query("hello.example", QTYPE::TYPE(TYPE::A));
        let with = |at: usize, byte| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        assert_eq!(ask(&good[..good.len() - 1]).0, RCODE::FormatError);
        assert_eq!(ask(&good[..12]).0, RCODE::FormatError);
        // Two questions, and sixty-five thousand records.
        assert_eq!(ask(&with(5, 2)).0, RCODE::FormatError);
        assert_eq!(ask(&with(10, 255)).0, RCODE::FormatError);
        // Another operation, and another class.
        assert_eq!(ask(&with(2, 0x29)).0, RCODE::NotImplemented);
        assert_eq!(ask(&with(good.len() - 1, 3)).0, RCODE::Refused);
        assert_eq!(answer(&with(2, 0x81), ASKER), None);
        assert_eq!(answer(&good[..11], ASKER), None);
        assert_eq!(answer(&[], ASKER), None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize % below
        };
        let good = query("now.example", QTYPE::ANY);
        for round in 0..100_000 {
            let mut bytes = good.clone();
            bytes.resize(random(80), 0);
            // Few faults in a good query reach further than noise does.
            for _ in 0..random(if round % 2 == 0 { 4 } else { 80 }) {
                let at = random(bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random(256) as u8;
                }
            }
            let reply = answer(&bytes, ASKER);
            assert!(reply.is_none_or(|reply| Packet::parse(&reply).is_ok()));
        }
    }
}
