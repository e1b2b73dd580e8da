//! Calls as they are shown: decent ones, those of a guest that passes rubbish, and which are left
//! out.

use std::collections::HashSet;

use clap::Parser;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};
use wasmtime::Module;

use super::*;
use crate::calls::{CALLS, Kind};
use crate::engine::Pulse;
use crate::errno::{Answer, Errno};
use crate::guest;
use crate::settings::Settings;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    settings: Settings,
}

fn cli(words: &[&str]) -> Cli {
    Cli::parse_from([&["trace"], words].concat())
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines without the times that calls took.
    fn lines(&self) -> Vec<String> {
        let cut = |line: &str| match (line.split_once(" <"), line.split_once("> ")) {
            (Some((call, _)), Some((_, faults))) => format!("{call} {faults}"),
            (Some((call, _)), None) => call.into(),
            _ => line.into(),
        };
        self.text().lines().map(cut).collect()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tracer(words: &[&str]) -> (Tracer, Page) {
    let page = Page::default();
    let tracer = Tracer::over(&cli(words).options, Box::new(page.clone()));
    (tracer.unwrap(), page)
}

fn call(name: &str) -> &'static Call {
    CALLS.iter().find(|call| call.name == name).unwrap()
}

fn memory(bytes: &mut [u8]) -> Memory<'_> {
    let aligned = true;
    Memory { bytes, aligned }
}

fn put(bytes: &mut [u8], at: usize, words: &[u32]) {
    for (index, word) in words.iter().enumerate() {
        bytes[at + 4 * index..][..4].copy_from_slice(&word.to_le_bytes());
    }
}

/// A call from before to after, in which the host does `work` to the guest's memory.
fn make(
    tracer: &mut Tracer,
    bytes: &mut [u8],
    (name, args): (&str, &[u64]),
    answer: Answer,
    work: impl FnOnce(&mut [u8]),
) {
    make_call(tracer, bytes, (call(name), args), answer, work);
}

fn make_call(
    tracer: &mut Tracer,
    bytes: &mut [u8],
    (call, args): (&'static Call, &[u64]),
    answer: Answer,
    work: impl FnOnce(&mut [u8]),
) {
    tracer.before(call, args, &memory(bytes));
    work(bytes);
    let ending = Ending {
        call,
        answer: &answer,
        took: Duration::from_nanos(1500),
        faults: &[],
    };
    tracer.after(&ending, args, &memory(bytes));
}

const OPEN: (&str, &[u64]) = ("sock_open", &[1, 2, 64]);
const CLOSE: (&str, &[u64]) = ("fd_close", &[7]);

fn open_and_close(tracer: &mut Tracer) {
    let mut bytes = [0; 256];
    make(tracer, &mut bytes, OPEN, Ok(()), |bytes| {
        put(bytes, 64, &[7])
    });
    make(tracer, &mut bytes, CLOSE, Err(Errno::BADF.into()), |_| {});
}

#[test]
fn text_and_json_say_the_same() {
    let (mut text, page) = tracer(&[]);
    open_and_close(&mut text);
    text.finish(&End::Exit(3));
    let expected = "sock_open(INET4, STREAM, [7]) = 0 <1.5µs>\n\
                    fd_close(7) = BADF (8) <1.5µs>\n\
                    +++ exited with 3 +++\n";
    assert_eq!(page.text(), expected);

    let (mut tracer, page) = tracer(&["--json"]);
    open_and_close(&mut tracer);
    tracer.finish(&End::Exit(3));
    let lines = page.text();
    let lines: Vec<&str> = lines.lines().collect();
    let first = concat!(
        r#"{"name":"sock_open","args":{"af":"INET4","kind":"STREAM","fd":7},"#,
        r#""errno":0,"error":"SUCCESS","duration_ns":1500,"faults":[]}"#
    );
    assert_eq!(lines[0], first);
    let second: Json = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(
        [&second["errno"], &second["error"]],
        [&json!(8), &json!("BADF")]
    );
    assert_eq!(lines.len(), 2);
}

#[test]
fn filters_and_summary() {
    let shown = |words: &[&str]| {
        let (mut tracer, page) = tracer(words);
        open_and_close(&mut tracer);
        page.lines()
    };
    let (open, close) = (
        "sock_open(INET4, STREAM, [7]) = 0",
        "fd_close(7) = BADF (8)",
    );
    assert_eq!(shown(&["--call", "fd_close"]), [close]);
    assert_eq!(shown(&["--call", "!fd_close"]), [open]);
    assert_eq!(shown(&["--call", "fd_close,sock_open"]), [open, close]);
    assert_eq!(shown(&["--fd", "7"]), [open, close]);
    assert_eq!(shown(&["--fd", "1,64"]), [""; 0]);

    let (mut summed, page) = tracer(&["-c", "--json", "--fd", "7"]);
    open_and_close(&mut summed);
    open_and_close(&mut summed);
    assert_eq!(page.text(), "");
    summed.finish(&End::Exit(0));
    let told: Json = serde_json::from_str(&page.text()).unwrap();
    let told = told["calls"].as_array().unwrap();
    let line = |index: usize| {
        let counts =
            ["count", "errors", "total_ns", "mean_ns"].map(|key| told[index][key].as_u64());
        (told[index]["name"].as_str(), counts.map(Option::unwrap))
    };
    assert_eq!(line(0), (Some("fd_close"), [2, 2, 3000, 1500]));
    assert_eq!(line(1), (Some("sock_open"), [2, 0, 3000, 1500]));
}

#[test]
fn a_call_that_waits_shows_what_for() {
    let (mut tracer, page) = tracer(&[]);
    let mut bytes = [0; 1024];
    // A socket, and a clock of 1.5 ms.
    put(&mut bytes, 0, &[5, 0, 1, 0, 70_001]);
    put(&mut bytes, 48, &[6, 0, 0, 0, 1, 0, 1_500_000]);
    let args = [0, 512, 2, 1000];
    tracer.before(call("poll_oneoff"), &args, &memory(&mut bytes));
    let begin = "poll_oneoff([{userdata=0x5, read=70001}, \
                 {userdata=0x6, clock=MONOTONIC, timeout=1.5ms}]";
    assert_eq!(page.text(), begin);
    put(&mut bytes, 512, &[5, 0, 1 << 16 | 44, 0, 3, 0, 1]);
    put(&mut bytes, 1000, &[1]);
    let faults = ["one event left out".into(), "late".into()];
    let ending = Ending {
        call: call("poll_oneoff"),
        answer: &Ok(()),
        took: Duration::from_millis(2),
        faults: &faults,
    };
    tracer.after(&ending, &args, &memory(&mut bytes));
    let events = "[{userdata=0x5, type=read, error=NOENT, nbytes=3, flags=HANGUP}]";
    let end = " <2.0ms> faults: one event left out; late\n";
    assert_eq!(page.text(), format!("{begin}, {events}, 2, [1]) = 0{end}"));
}

#[test]
fn what_the_host_tells_is_read_afterwards() {
    let (mut tracer, page) = tracer(&["-s", "4"]);
    let mut bytes = [0; 1024];
    // Two pieces, of 3 and 100 bytes, of which the host fills 5; the sender's port is the
    // network's.
    put(&mut bytes, 0, &[100, 3, 200, 100]);
    put(&mut bytes, 16, &[400, 128]);
    let recv = ("sock_recv_from_v2", &[9, 0, 2, 16, 1, 600, 604, 608][..]);
    let blocks = || Err(Errno::AGAIN.into());
    make(&mut tracer, &mut bytes, recv, blocks(), |_| {});
    make(&mut tracer, &mut bytes, recv, Ok(()), |bytes| {
        bytes[100..103].copy_from_slice(b"abc");
        bytes[200..202].copy_from_slice(b"\ne");
        put(bytes, 400, &[127 << 16 | 1, 1 << 8]);
        bytes[600..602].copy_from_slice(&8080_u16.to_be_bytes());
        put(bytes, 604, &[5, 1]);
    });
    let send = ("sock_send_to_v2", &[9, 0, 2, 16, 8080, 0, 604][..]);
    make(&mut tracer, &mut bytes, send, Ok(()), |bytes| {
        put(bytes, 604, &[103])
    });
    let local = ("sock_getlocaladdr_v2", &[9, 16, 700][..]);
    make(&mut tracer, &mut bytes, local, Ok(()), |bytes| {
        put(bytes, 700, &[80])
    });
    put(&mut bytes, 800, &[1, 4]);
    let option = ("sock_setsockopt", &[9, 0, 5, 800, 4][..]);
    make(&mut tracer, &mut bytes, option, Ok(()), |_| {});
    let option = ("sock_getsockopt", &[9, 0, 2, 800, 804][..]);
    make(&mut tracer, &mut bytes, option, Ok(()), |bytes| {
        put(bytes, 800, &[14, 4])
    });
    let random = ("random_get", &[800, 6][..]);
    make(&mut tracer, &mut bytes, random, Ok(()), |_| {});
    let expected = [
        "sock_recv_from_v2(9, {room=103}, 2, 0x10, PEEK, 0x258, 0x25c, 0x260) = AGAIN (6)",
        r#"sock_recv_from_v2(9, ["abc", "\ne"], 2, [127.0.0.1:8080], PEEK, [8080], [5], [1]) = 0"#,
        r#"sock_send_to_v2(9, ["abc", "\ne\x00\x00"...], 2, 127.0.0.1:8080, 8080, 0, [103]) = 0"#,
        "sock_getlocaladdr_v2(9, [127.0.0.1:80], [80]) = 0",
        "sock_setsockopt(9, 0, SO_SNDBUF, [1], 4) = 0",
        "sock_getsockopt(9, 0, SO_ERROR, [CONNREFUSED], 0x324) = 0",
        r#"random_get("\x0e\x00\x00\x00"..., 6) = 0"#,
    ];
    assert_eq!(page.lines(), expected);
}

#[test]
fn no_two_parameters_of_a_call_have_one_name() {
    for call in CALLS {
        let names: HashSet<&str> = call.params.iter().map(|param| param.name).collect();
        assert_eq!(names.len(), call.params.len(), "{call:?}");
    }
}

/// Every call with arguments from the edges of everything, over memory that holds anything.
#[test]
fn rubbish_is_shown_as_it_is() {
    const SIZE: usize = 1 << 12;
    const EDGES: [u64; 10] = [
        0,
        1,
        2,
        3,
        8,
        128,
        SIZE as u64 - 8,
        SIZE as u64,
        1 << 31,
        0xffff_ffff,
    ];
    let mut random = StdRng::seed_from_u64(5);
    let mut bytes = [0; SIZE];
    let (mut text, page) = tracer(&[]);
    let (mut json, object) = tracer(&["--json"]);
    for round in 0..200 {
        // Small numbers make pieces and addresses that can be read.
        let most = [0, 3, 255][round % 3];
        bytes.fill_with(|| random.random_range(0..=most));
        for call in CALLS {
            let arg = |kind| match random.random_range(0..3) {
                0 if kind == Kind::Long => random.random(),
                0 => random.random_range(0..SIZE as u64),
                _ => EDGES[random.random_range(0..EDGES.len())],
            };
            let args: Vec<u64> = call
                .params
                .iter()
                .map(|param| param.kind)
                .map(arg)
                .collect();
            for tracer in [&mut text, &mut json] {
                make_call(tracer, &mut bytes, (call, &args), Ok(()), |_| {});
            }
            let line = std::mem::take(&mut *page.0.lock().unwrap());
            assert!(
                line.len() < 1 << 16,
                "{call:?} {args:?}: {} bytes",
                line.len()
            );
            let line = String::from_utf8(line).unwrap();
            let line = line.trim_end_matches('\n');
            assert!(!line.contains(char::is_control), "{line:?}");
            let told = std::mem::take(&mut *object.0.lock().unwrap());
            serde_json::from_slice::<Json>(&told).unwrap();
        }
    }
}

/// A module that imports `sock_recv` and `poll_oneoff`, and calls them with these arguments.
fn rubbish_guest() -> Vec<u8> {
    let section = |id: u8, content: &[u8]| [&[id, content.len() as u8], content].concat();
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let import =
        |name: &str, kind| [&text(crate::calls::MODULE)[..], &text(name), &[0, kind]].concat();
    const I32: u8 = 0x7f;
    let kinds = [
        &[3, 0x60, 6][..],
        &[I32; 6],
        &[1, I32, 0x60, 4],
        &[I32; 4],
        &[1, I32, 0x60, 0, 0],
    ];
    let imports = [&[2], &import("sock_recv", 0)[..], &import("poll_oneoff", 1)].concat();
    let exports = [&[2], &text("memory")[..], &[2, 0], &text("_start"), &[0, 2]].concat();
    // Constants are signed, of seven bits here: -1 is the highest address of all.
    let constants = |values: &[i8]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| [0x41, *value as u8 & 0x7f])
            .collect()
    };
    let body = [
        &[0][..],
        &constants(&[-1, -16, -1, 7, 3, -1]),
        &[0x10, 0, 0x1a],
        &constants(&[-16, 5, -1, 1]),
        &[0x10, 1, 0x1a, 0x0b],
    ];
    let code = [&[1, body.concat().len() as u8], &body.concat()[..]].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &kinds.concat()),
        section(2, &imports),
        section(3, &[1, 2]),
        section(5, &[1, 0, 1]),
        section(7, &exports),
        section(10, &code),
    ]
    .concat()
}

#[test]
fn a_guest_that_passes_rubbish_is_shown_and_survives() {
    let (tracer, page) = tracer(&[]);
    let pulse = Pulse::start().unwrap();
    let module = Module::new(&pulse.engine, rubbish_guest()).unwrap();
    let mut host = cli(&[]).settings.host(&["rubbish".into()]).unwrap();
    host.observer = Some(Box::new(tracer.clone()));
    let (end, _) = guest::run(&pulse.engine, &module, host, false).unwrap();
    tracer.finish(&end);
    assert!(matches!(end, End::Exit(0)), "{end:?}");
    let expected = [
        "sock_recv(4294967295, 0xfffffff0, 4294967295, PEEK|WAITALL|0x4, 0x3, 0xffffffff) \
         = INVAL (28)",
        "poll_oneoff(0xfffffff0, 0x5, 4294967295, 0x1) = FAULT (21)",
        "+++ exited with 0 +++",
    ];
    assert_eq!(page.lines(), expected);
}
