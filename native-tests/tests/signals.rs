//! Signals during a poll: one that the program handles, and being stopped and continued. Both
//! end a blocked poll with `Interrupted` and no events, as in mio, and the poll works on.

#[path = "common/again.rs"]
mod again;
#[path = "common/asleep.rs"]
mod asleep;

use std::io::ErrorKind;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use asleep::{this_thread, until_asleep, until_state};
use mio::{Events, Poll, Token, Waker};

const DEADLINE: Duration = Duration::from_secs(20);
/// Set in the process that is to be stopped.
const STOPPED: &str = "MIO_WASI_TEST_STOPPED";

extern "C" fn ignore(_: libc::c_int) {}

/// Blocks in a poll until something interrupts it, then shows that the poll still works.
fn poll_until_interrupted(poll: &mut Poll) {
    let mut events = Events::with_capacity(4);
    let error = poll
        .poll(&mut events, Some(DEADLINE))
        .expect_err("the signal ends it");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(events.is_empty());
}

fn assert_works(poll: &mut Poll) {
    let mut events = Events::with_capacity(4);
    let waker = Waker::new(poll.registry(), Token(7)).expect("a waker");
    waker.wake().expect("a wake");
    poll.poll(&mut events, Some(DEADLINE))
        .expect("nothing interrupts it now");
    assert_eq!(
        events.iter().map(|event| event.token()).collect::<Vec<_>>(),
        [Token(7)]
    );
}

#[test]
fn a_handled_signal_interrupts_a_blocked_poll() {
    // SAFETY: the action is a valid struct (all zero is one), its handler does nothing at all,
    // and no other test of this process uses the signal. Without SA_RESTART nothing restarts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()),
            0
        );
    }
    let mut poll = Poll::new().expect("a poll");
    let returned = Arc::new(AtomicBool::new(false));
    // SAFETY: neither call takes anything or can fail.
    let (process, number) = unsafe { (libc::getpid(), libc::gettid()) };
    let (sleeper, done) = (this_thread(), Arc::clone(&returned));
    let signalling = thread::spawn(move || {
        // The thread may sleep elsewhere on its way to the poll, so one signal is not enough.
        while !done.load(Ordering::Acquire) {
            until_asleep(&sleeper);
            // SAFETY: numbers go in; a thread that is gone would be an error, not a fault.
            let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, number, libc::SIGUSR1) };
            assert_eq!(sent, 0);
        }
    });
    poll_until_interrupted(&mut poll);
    returned.store(true, Ordering::Release);
    // The last signals may arrive while this thread waits: std's join does not mind them.
    signalling.join().expect("no panic");
    assert_works(&mut poll);
}

/// Runs twice: here, and as the process that is stopped and continued until its poll notices.
/// poll(2) does not: the kernel resumes it, and its time goes on.
#[test]
fn a_stopped_and_continued_process_polls_on() {
    if env::var_os(STOPPED).is_some() {
        let mut poll = Poll::new().expect("a poll");
        if cfg!(mio_unsupported_force_poll_poll) {
            let (start, time) = (Instant::now(), Duration::from_millis(300));
            poll.poll(&mut Events::with_capacity(4), Some(time))
                .expect("nothing interrupts it");
            assert!(start.elapsed() >= time);
        } else {
            poll_until_interrupted(&mut poll);
        }
        return assert_works(&mut poll);
    }
    // With one test thread the test runs in the process's first thread, whose state is shown.
    let mut child = again::this_test()
        .args([
            "--exact",
            "a_stopped_and_continued_process_polls_on",
            "--test-threads=1",
        ])
        .env(STOPPED, "1")
        .stdout(Stdio::null())
        .spawn()
        .expect("this test again");
    let number = child.id() as i32;
    let stat = format!("/proc/{number}/stat");
    while until_state(&stat, "SZ") == 'S' {
        for (signal, states) in [(libc::SIGSTOP, "TZ"), (libc::SIGCONT, "RSDZ")] {
            // SAFETY: numbers go in, and a child not yet waited for keeps its number.
            assert_eq!(unsafe { libc::kill(number, signal) }, 0);
            until_state(&stat, states);
        }
    }
    assert!(child.wait().expect("its end").success());
}
