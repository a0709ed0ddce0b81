//! Many readers or one writer.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use super::death::die;
use super::{Count, check, check_deaths};
use crate::sync::raw::{Limit, Outcome};
use crate::sync::rwlock::counted::Counted;
use crate::sync::rwlock::protocol::Protocol;
use crate::sync::rwlock::seated::Seated;

/// A lock, and what it guards.
struct Guarded<P>(P, Count);

impl<P: Protocol> Guarded<P> {
    fn new() -> Arc<Self> {
        Arc::new(Guarded(P::free(), Count::default()))
    }

    fn read(&self) -> u32 {
        let (outcome, seat) = self.0.read(Limit::Never);
        assert_eq!(outcome, Outcome::Taken);
        let seen = self.1.get();
        self.0.unlock_read(seat);
        seen
    }

    fn write(&self) {
        assert_eq!(self.0.write(Limit::Never), Outcome::Taken);
        self.1.add();
        self.0.unlock_write(P::holder());
    }

    /// Did it get the lock in time?
    fn write_soon(&self) -> bool {
        let got = self.0.write(Limit::After(Duration::from_secs(1))) == Outcome::Taken;
        if got {
            self.1.add();
            self.0.unlock_write(P::holder());
        }
        got
    }

    fn assert_idle(&self) {
        assert!(!self.0.is_read() && !self.0.is_written());
        assert_eq!(self.0.try_write(), Outcome::Taken);
        self.0.unlock_write(P::holder());
    }
}

fn spawn<P: Protocol, R: 'static>(
    lock: &Arc<Guarded<P>>,
    f: impl FnOnce(&Guarded<P>) -> R + 'static,
) -> thread::JoinHandle<R> {
    let lock = Arc::clone(lock);
    thread::spawn(move || f(&lock))
}

fn readers_and_a_writer<P: Protocol>() {
    check(3, || {
        let lock = Guarded::<P>::new();
        let reader = spawn(&lock, Guarded::read);
        let writer = spawn(&lock, Guarded::write);
        assert!(lock.read() <= 1);
        assert!(reader.join().unwrap() <= 1);
        writer.join().unwrap();
        assert_eq!(lock.read(), 1);
        lock.assert_idle();
    });
}

fn writers_and_a_reader<P: Protocol>() {
    check(3, || {
        let lock = Guarded::<P>::new();
        let reader = spawn(&lock, Guarded::read);
        let writer = spawn(&lock, Guarded::write);
        lock.write();
        assert!(reader.join().unwrap() <= 2);
        writer.join().unwrap();
        assert_eq!(lock.read(), 2);
        lock.assert_idle();
    });
}

/// A writer gives up while it keeps a reader out; the reader is not forgotten.
fn a_writer_gives_up<P: Protocol>() {
    check(3, || {
        let lock = Guarded::<P>::new();
        let (_, seat) = lock.0.read(Limit::Never);
        let writer = spawn(&lock, Guarded::write_soon);
        let reader = spawn(&lock, Guarded::read);
        // With this one inside no writer comes in: the reader gets on when the writer gives up.
        reader.join().unwrap();
        lock.0.unlock_read(seat);
        let written = writer.join().unwrap();
        assert_eq!(lock.read(), u32::from(written));
        lock.assert_idle();
    });
}

fn a_writer_becomes_a_reader<P: Protocol>() {
    check(3, || {
        let lock = Guarded::<P>::new();
        assert_eq!(lock.0.write(Limit::Never), Outcome::Taken);
        let reader = spawn(&lock, Guarded::read);
        let writer = spawn(&lock, Guarded::write);
        lock.1.add();
        let seat = lock.0.downgrade(P::holder());
        assert_eq!(lock.1.get(), 1, "no writer comes between");
        lock.0.unlock_read(seat);
        assert!((1..=2).contains(&reader.join().unwrap()));
        writer.join().unwrap();
        assert_eq!(lock.read(), 2);
        lock.assert_idle();
    });
}

#[test]
fn models_counted_readers_and_a_writer() {
    readers_and_a_writer::<Counted>();
}

#[test]
fn models_counted_writers_and_a_reader() {
    writers_and_a_reader::<Counted>();
}

#[test]
fn models_counted_a_writer_gives_up() {
    a_writer_gives_up::<Counted>();
}

#[test]
fn models_counted_a_writer_becomes_a_reader() {
    a_writer_becomes_a_reader::<Counted>();
}

#[test]
fn models_seated_readers_and_a_writer() {
    readers_and_a_writer::<Seated>();
}

#[test]
fn models_seated_writers_and_a_reader() {
    writers_and_a_reader::<Seated>();
}

#[test]
fn models_seated_a_writer_gives_up() {
    a_writer_gives_up::<Seated>();
}

#[test]
fn models_seated_a_writer_becomes_a_reader() {
    a_writer_becomes_a_reader::<Seated>();
}

/// Three readers and two seats.
#[test]
fn models_seated_readers_beyond_the_seats() {
    check(2, || {
        let lock = Guarded::<Seated>::new();
        let readers = [(); 2].map(|()| spawn(&lock, Guarded::read));
        lock.read();
        for reader in readers {
            reader.join().unwrap();
        }
        lock.assert_idle();
    });
}

#[test]
fn models_seated_a_reader_dies() {
    check_deaths(2, || {
        let lock = Guarded::<Seated>::new();
        let dying = spawn(&lock, |lock| {
            let _ = lock.0.read(Limit::Never);
            die();
        });
        let writer = spawn(&lock, Guarded::write);
        writer.join().unwrap();
        dying.join().unwrap();
        lock.write();
        lock.assert_idle();
    });
}

/// The dead writer's lock is one reader's, as a writer; the other reads after it.
#[test]
fn models_seated_a_writer_dies() {
    check_deaths(2, || {
        let lock = Guarded::<Seated>::new();
        let dying = spawn(&lock, |lock| {
            let _ = lock.0.write(Limit::Never);
            lock.1.add();
            die();
        });
        let read = |lock: &Guarded<Seated>| match lock.0.read(Limit::Never) {
            (Outcome::Taken, seat) => {
                lock.1.get();
                lock.0.unlock_read(seat);
                0
            }
            (Outcome::TakenFromDead, _) => {
                lock.1.add();
                lock.0.mark_consistent(Seated::holder());
                lock.0.unlock_write(Seated::holder());
                1
            }
            (outcome, _) => panic!("{outcome:?}"),
        };
        let learnt = read(&lock);
        dying.join().unwrap();
        // It may have read before the other wrote.
        let learnt = learnt + read(&lock);
        assert_eq!((learnt, lock.read()), (1, 2));
        lock.assert_idle();
    });
}
