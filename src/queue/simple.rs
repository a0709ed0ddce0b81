//! The queue without tasks and without an end.

use std::time::{Duration, Instant};

use super::bell::Bell;
use super::pause::{Pace, Patience};
use super::segments::Segments;

/// Nothing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue is empty")]
pub struct Empty;

/// Simple.
pub struct SimpleQueue<T> {
    items: Segments<T>,
    bell: Bell,
    pace: Pace,
}

impl<T> SimpleQueue<T> {
    /// New.
    pub const fn new() -> Self {
        SimpleQueue { items: Segments::new(0), bell: Bell::new(), pace: Pace::new() }
    }

    /// Put.
    #[inline]
    pub fn put(&self, item: T) {
        let _ = self.items.put(item);
        if self.bell.is_awaited() {
            self.bell.ring();
        }
    }

    /// Try.
    #[inline]
    pub fn try_get(&self) -> Result<T, Empty> {
        self.items.take().map_err(|_| Empty)
    }

    /// Get.
    #[inline]
    pub fn get(&self) -> T {
        match self.items.take() {
            Ok(item) => item,
            Err(_) => self.wait(None).unwrap(),
        }
    }

    /// Timeout.
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, Empty> {
        self.try_get().or_else(|_| self.wait(Instant::now().checked_add(timeout)).ok_or(Empty))
    }

    #[cold]
    fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        let mut patience = Patience::new(&self.pace);
        while patience.turn() {
            if let Ok(item) = self.items.take() {
                patience.learn(self.items.ahead() + 1);
                return Some(item);
            }
        }
        self.bell.wait(deadline, || self.items.take().ok(), || self.items.len() > 0)
    }
}

/// Bounded.
pub struct Bounded<T> {
    items: Segments<T>,
    bell: Bell,
    pace: Pace,
    room: Bell,
    room_pace: Pace,
}

impl<T> Bounded<T> {
    /// New.
    pub const fn new(n: usize) -> Self {
        Bounded {
            items: Segments::new(n),
            bell: Bell::new(),
            pace: Pace::new(),
            room: Bell::new(),
            room_pace: Pace::new(),
        }
    }

    /// Put.
    #[inline]
    pub fn put(&self, item: T) {
        if let Err((item, _)) = self.items.put(item) {
            self.wait_room(item);
        }
        if self.bell.is_awaited() {
            self.bell.ring();
        }
    }

    #[cold]
    fn wait_room(&self, mut item: T) {
        let mut patience = Patience::new(&self.room_pace);
        while patience.turn() {
            match self.items.put(item) {
                Ok(()) => {
                    patience.learn(self.items.room() + 1);
                    return;
                }
                Err((i, _)) => item = i,
            }
        }
        let mut it = Some(item);
        self.room.wait(
            None,
            || match self.items.put(it.take().unwrap()) {
                Ok(()) => Some(()),
                Err((i, _)) => {
                    it = Some(i);
                    None
                }
            },
            || self.items.len() < self.items.maxsize(),
        );
    }

    /// Get.
    #[inline]
    pub fn get(&self) -> T {
        let item = match self.items.take() {
            Ok(item) => item,
            Err(_) => self.wait(None).unwrap(),
        };
        if self.room.is_awaited() {
            self.room.ring();
        }
        item
    }

    #[cold]
    fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        let mut patience = Patience::new(&self.pace);
        while patience.turn() {
            if let Ok(item) = self.items.take() {
                patience.learn(self.items.ahead() + 1);
                return Some(item);
            }
        }
        self.bell.wait(deadline, || self.items.take().ok(), || self.items.len() > 0)
    }
}
