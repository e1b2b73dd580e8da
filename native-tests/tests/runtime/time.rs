//! `tokio::time`, which on WASI sleeps in the same call that waits for sockets.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{self, JoinSet, yield_now};
use tokio::time::{self, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use crate::{connected, echo_server, guard, pair, round_trip};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_sleep_is_never_short() {
    guard();
    for length in [Duration::ZERO, MS / 10, MS, 7 * MS, 30 * MS] {
        let start = Instant::now();
        sleep(length).await;
        assert!(start.elapsed() >= length);
        let end = time::Instant::now() + length;
        sleep_until(end).await;
        assert!(time::Instant::now() >= end);
    }
}

#[tokio::test]
async fn timers_end_in_their_order() {
    guard();
    // On a busy machine the first may be due before the last is set, so that they have no order.
    for lead in (0..9).map(|power| 20 * MS * (1 << power)) {
        let mut timers = JoinSet::new();
        let start = time::Instant::now() + lead;
        let set = Arc::new(AtomicU32::new(0));
        for number in 0..500_u32 {
            // 7 and 100 have no common factor: all hundred deadlines, in no order.
            let (place, set) = (number * 7 % 100, set.clone());
            timers.spawn(async move {
                let timer = pin!(sleep_until(start + place * 2 * MS));
                set.fetch_add(1, Ordering::Relaxed);
                timer.await;
                place
            });
        }
        while set.load(Ordering::Relaxed) < 500 {
            yield_now().await;
        }
        if time::Instant::now() < start {
            let ended = timers.join_all().await;
            assert!(ended.is_sorted(), "{ended:?}");
            return;
        }
    }
    panic!("five hundred timers cannot be set in five seconds");
}

#[tokio::test]
async fn an_interval_goes_on() {
    guard();
    let start = time::Instant::now();
    let mut ticks = interval(3 * MS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..20 {
        let due = ticks.tick().await;
        assert!(due >= start + number * 3 * MS);
        assert!(time::Instant::now() >= due);
    }
}

#[tokio::test]
async fn a_timeout_ends_a_read_that_never_comes() {
    let (mut client, mut server) = pair().await;
    for round in 0..10 {
        let mut buf = [0; 8];
        let read = timeout(2 * MS, server.read(&mut buf)).await;
        read.expect_err("nothing was sent");
        client.write_all(&[round]).await.unwrap();
        assert_eq!(server.read(&mut buf).await.unwrap(), 1);
        assert_eq!(buf[0], round);
    }
}

#[tokio::test]
async fn a_timeout_that_is_not_needed_is_no_hindrance() {
    let (address, server) = echo_server();
    let mut stream = connected(address).await;
    for round in 0..200_u8 {
        let hour = Duration::from_secs(3_600);
        timeout(hour, round_trip(&mut stream, &[round; 100]))
            .await
            .unwrap();
    }
    // The longest that there is.
    timeout(Duration::MAX, round_trip(&mut stream, b"end"))
        .await
        .unwrap();
    server.abort();
}

#[tokio::test]
async fn many_timers_with_traffic_between() {
    let (address, server) = echo_server();
    let mut clients = JoinSet::new();
    for number in 0..50_u32 {
        clients.spawn(async move {
            let mut stream = connected(address).await;
            for round in 0..10 {
                sleep(MS * ((number + round) % 5)).await;
                round_trip(&mut stream, &(number * 10 + round).to_be_bytes()).await;
            }
        });
    }
    // Timers that nobody will see.
    for _ in 0..1_000 {
        task::spawn(sleep(Duration::from_secs(600)));
    }
    assert_eq!(clients.join_all().await.len(), 50);
    server.abort();
}

/// A timer that is due at once must not keep sockets from being looked at.
#[tokio::test]
async fn timers_of_zero_do_not_starve_a_read() {
    let (mut client, mut server) = pair().await;
    let busy = task::spawn(async {
        loop {
            sleep(Duration::ZERO).await;
        }
    });
    for round in 0..50 {
        client.write_all(&[round]).await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), round);
    }
    busy.abort();
}

#[tokio::test]
async fn a_timer_that_is_moved_or_dropped_is_forgotten() {
    guard();
    let timer = sleep(Duration::from_secs(3_600));
    tokio::pin!(timer);
    tokio::select! {
        () = &mut timer => panic!("an hour has not passed"),
        () = sleep(MS) => {}
    }
    timer.as_mut().reset(time::Instant::now() + 2 * MS);
    timer.await;
    drop(sleep(Duration::from_secs(3_600)));
}
