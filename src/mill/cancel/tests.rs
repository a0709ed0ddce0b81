use std::time::Duration;

use super::*;

/// How many alarms the clock has. Those of other tests are few.
fn alarms() -> (usize, usize) {
    let alarms = Clock::get().lock();
    (alarms.heap.len(), alarms.heap.capacity())
}

#[test]
fn work_that_is_over_before_its_deadline_keeps_no_memory() {
    let (root, far) = (CancelToken::new(), Instant::now() + Duration::from_secs(3_600));
    for _ in 0..100_000 {
        assert_eq!(root.with_deadline(far).run(|| 1), Ok(1));
    }
    let (length, _) = alarms();
    assert!(length < 1_000, "{length} one after the other");
    let tokens: Vec<_> = (0..100_000).map(|_| root.with_deadline(far)).collect();
    assert!(alarms().0 >= 100_000);
    drop(tokens);
    let (length, room) = alarms();
    assert!(length < 1_000 && room < 10_000, "{length} all at once, and room for {room}");
}

#[test]
fn deadlines_hold_while_dead_ones_are_taken_out() {
    let (root, now) = (CancelToken::new(), Instant::now());
    let late = root.with_deadline(now + Duration::from_secs(3_600));
    let soon: Vec<_> = (0..50).map(|n| root.with_deadline(now + Duration::from_millis(20 + n))).collect();
    for _ in 0..10 {
        let far = now + Duration::from_secs(1_800);
        drop((0..1_000).map(|_| root.with_deadline(far)).collect::<Vec<_>>());
    }
    while !soon.iter().all(CancelToken::is_cancelled) {
        std::thread::yield_now();
    }
    assert!(!late.is_cancelled());
    assert!(alarms().0 >= 1, "the one that is late is there yet");
}
