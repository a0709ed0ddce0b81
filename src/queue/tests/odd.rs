//! Items of no size, of a great one, far apart; rooms of all sizes; blocks used more often than their marks can tell.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::queue::block::SLOTS;
use crate::queue::*;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Nothing at all, but for a destructor.
struct Nothing;

impl Nothing {
    fn new() -> Self {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Nothing
    }
}

impl Drop for Nothing {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn items_without_a_size_are_counted_all_the_same() {
    let (simple, fifo, lifo) = (SimpleQueue::new(), Queue::new(300), LifoQueue::new(0));
    for _ in 0..200 {
        simple.put(Nothing::new());
        assert!(fifo.put(Nothing::new()).is_ok() && lifo.put(Nothing::new()).is_ok());
    }
    assert!(fifo.put_many([(); 100].map(|()| Nothing::new())).is_ok());
    assert!(matches!(fifo.try_put(Nothing::new()), Err(PutError::Full(Nothing))));
    assert_eq!((simple.len(), fifo.len(), lifo.len(), ALIVE.load(Ordering::SeqCst)), (200, 300, 200, 700));
    (0..150).for_each(|_| drop((simple.get(), fifo.get(), lifo.get())));
    assert_eq!((simple.get_many(40).len(), ALIVE.load(Ordering::SeqCst)), (40, 250));
    assert_eq!(fifo.shutdown_now().len(), 150);
    drop((simple, fifo, lifo));
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
}

#[test]
fn items_lie_where_their_alignment_wants_them() {
    #[repr(align(4096))]
    struct Page(u64);
    let (simple, fifo) = (SimpleQueue::new(), Queue::new(2));
    for n in 0..150 {
        simple.put(Box::new(Page(n)));
        simple.put(Box::new(Page(n)));
        assert!(fifo.put(Page(n)).is_ok() && fifo.put(Page(n)).is_ok());
        for page in [fifo.get().unwrap(), fifo.get().unwrap()] {
            assert_eq!((page.0, (&raw const page).addr() % 4_096), (n, 0));
        }
        assert_eq!((simple.get().0, simple.get().0), (n, n));
    }
}

#[test]
fn large_items_come_out_whole() {
    let queue = SimpleQueue::new();
    for lap in 0..3 {
        (0..100_u8).for_each(|n| queue.put([n.wrapping_add(lap); 5_000]));
        for n in 0..100_u8 {
            assert_eq!(queue.get(), [n.wrapping_add(lap); 5_000]);
        }
    }
}

#[test]
fn a_room_may_be_as_large_as_numbers_go() {
    for maxsize in [usize::MAX, usize::MAX / 2 + 1, 1 << 62, u32::MAX as usize] {
        let (fifo, lifo) = (Queue::new(maxsize), LifoQueue::new(maxsize));
        fifo.put_many((0..200).collect::<Vec<_>>()).unwrap();
        lifo.put_many((0..200).collect::<Vec<_>>()).unwrap();
        assert!(!fifo.is_full() && !lifo.is_full() && fifo.maxsize() == maxsize);
        assert_eq!((fifo.get(), lifo.get()), (Ok(0), Ok(199)));
        fifo.set_maxsize(1);
        assert_eq!((fifo.is_full(), fifo.try_put(1)), (true, Err(PutError::Full(1))));
        fifo.set_maxsize(usize::MAX);
        assert_eq!(fifo.try_put(1), Ok(()));
    }
}

#[test]
fn blocks_are_used_more_often_than_their_marks_count() {
    let (simple, fifo) = (SimpleQueue::new(), Queue::new(3));
    // Never more than two blocks at a time: each is used some three hundred times.
    for n in 0..600 * SLOTS {
        simple.put(n);
        fifo.put(n).unwrap();
        if n > 0 {
            assert_eq!((simple.try_get(), fifo.try_get()), (Ok(n - 1), Ok(n - 1)));
            assert_eq!((simple.len(), fifo.len()), (1, 1));
        }
    }
}

#[test]
fn a_destructor_may_put_to_a_queue_with_a_bound_or_a_lock() {
    macro_rules! check {
        ($make:expr) => {{
            let queue = Arc::new($make);
            let put =
                |item: Option<Box<dyn FnOnce() + Send>>| queue.put(item).unwrap_or_else(|_| panic!("open"));
            struct Bell(Option<Box<dyn FnOnce() + Send>>);
            impl Drop for Bell {
                fn drop(&mut self) {
                    if let Some(ring) = self.0.take() {
                        ring();
                    }
                }
            }
            for _ in 0..100 {
                let inner = Arc::clone(&queue);
                let bell = Bell(Some(Box::new(move || assert!(inner.put(None).is_ok()))));
                put(Some(Box::new(move || drop(bell))));
            }
            let mut answers = 0;
            while let Ok(item) = queue.try_get() {
                answers += usize::from(item.is_none());
            }
            assert_eq!(answers, 100);
        }};
    }
    check!(Queue::new(101));
    check!(LifoQueue::new(101));
    check!(StoredQueue::with_storage(101, VecDeque::new()));
}
