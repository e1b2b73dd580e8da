//! Whether another thread or process sleeps in the kernel, which is where a blocked poll is.

#[cfg(not(target_os = "linux"))]
pub use guess::*;
#[cfg(target_os = "linux")]
pub use tell::*;

/// Only Linux tells a thread's state: it is asleep after a while, or it is slow, and then a test
/// tells less.
#[cfg(not(target_os = "linux"))]
mod guess {
    use std::thread;
    use std::time::Duration;

    pub fn this_thread() -> String {
        String::new()
    }

    pub fn until_asleep(_: &str) {
        thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(target_os = "linux")]
mod tell {
    use std::fs;
    use std::thread;
    use std::time::{Duration, Instant};

    /// The status file of the calling thread.
    pub fn this_thread() -> String {
        // SAFETY: gettid takes nothing and cannot fail.
        let number = unsafe { libc::gettid() };
        format!("/proc/self/task/{number}/stat")
    }

    /// Returns when the thread or process of that status file sleeps.
    #[track_caller]
    pub fn until_asleep(stat: &str) {
        until_state(stat, "S");
    }

    /// Returns when its state is one of `states`, and which: `S` asleep, `T` stopped, `Z` ended.
    #[track_caller]
    pub fn until_state(stat: &str, states: &str) -> char {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let text = fs::read_to_string(stat).expect("it lives");
            // The state follows the name, which stands in parentheses and may hold anything.
            let state = text
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.chars().next());
            match state {
                Some(state) if states.contains(state) => return state,
                _ => assert!(Instant::now() < end, "never in one of {states}: {text}"),
            }
            thread::yield_now();
        }
    }
}
