//! Queues against plain vectors: any sequence of steps does the same to both.

use std::collections::BinaryHeap;
use std::time::Duration;

use proptest::prelude::*;

use crate::queue::keep::Keep;
use crate::queue::*;

/// One step in a queue's life.
#[derive(Debug, Clone)]
enum Step {
    Put(u8),
    PutMany(Vec<u8>),
    Get,
    GetMany(usize),
    Done,
    Maxsize(usize),
    ShutDown,
    ShutDownNow,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => any::<u8>().prop_map(Step::Put),
        4 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Step::PutMany),
        16 => Just(Step::Get),
        4 => (0_usize..100).prop_map(Step::GetMany),
        8 => Just(Step::Done),
        2 => (0_usize..150).prop_map(Step::Maxsize),
        1 => Just(Step::ShutDown),
        1 => Just(Step::ShutDownNow),
    ];
    prop::collection::vec(step, 0..200)
}

/// What a queue must do, said plainly.
struct Plain {
    items: Vec<u8>,
    next: fn(&mut Vec<u8>) -> u8,
    maxsize: usize,
    closed: bool,
    unfinished: u64,
}

impl Plain {
    fn put(&mut self, item: u8) -> Result<(), PutError<u8>> {
        if self.closed {
            return Err(PutError::ShutDown(item));
        }
        if self.maxsize != 0 && self.items.len() >= self.maxsize {
            return Err(PutError::Full(item));
        }
        self.items.push(item);
        self.unfinished += 1;
        Ok(())
    }

    fn get(&mut self) -> Result<u8, GetError> {
        if self.items.is_empty() {
            return Err(if self.closed { GetError::ShutDown } else { GetError::Empty });
        }
        Ok((self.next)(&mut self.items))
    }

    fn follows<K: Keep<u8>>(mut self, queue: &TrackedQueue<u8, K>, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Put(item) => assert_eq!(queue.try_put(item), self.put(item)),
                Step::PutMany(items) => {
                    let fit = items.iter().take_while(|item| self.put(**item).is_ok()).count();
                    if fit == items.len() || self.closed {
                        let rest = items[fit..].to_vec();
                        let result = queue.put_many(items);
                        assert_eq!(result, if rest.is_empty() { Ok(()) } else { Err(ShutDown(rest)) });
                    } else {
                        // The rest would wait.
                        queue.put_many(items[..fit].to_vec()).unwrap();
                    }
                }
                Step::Get => assert_eq!(queue.try_get(), self.get()),
                Step::GetMany(most) => {
                    let some: Vec<_> = (0..most).map_while(|_| self.get().ok()).collect();
                    if !some.is_empty() || most == 0 {
                        assert_eq!(queue.get_many(most), Ok(some));
                    }
                }
                Step::Done => {
                    let result = self.unfinished.checked_sub(1).ok_or(TooManyTaskDone);
                    self.unfinished = result.unwrap_or(0);
                    assert_eq!(queue.task_done(), result.map(|_| ()));
                }
                Step::Maxsize(maxsize) => {
                    self.maxsize = maxsize;
                    queue.set_maxsize(maxsize);
                }
                Step::ShutDown => {
                    self.closed = true;
                    queue.shutdown();
                }
                Step::ShutDownNow => {
                    self.closed = true;
                    let rest: Vec<_> = std::iter::from_fn(|| self.get().ok()).collect();
                    self.unfinished = self.unfinished.saturating_sub(rest.len() as u64);
                    assert_eq!(queue.shutdown_now(), rest);
                }
            }
            assert_eq!(queue.len(), self.items.len());
            assert_eq!(queue.unfinished_tasks(), self.unfinished);
            assert_eq!(queue.is_full(), self.maxsize != 0 && self.items.len() >= self.maxsize);
            assert_eq!(queue.is_shutdown(), self.closed);
            assert_eq!(queue.join_timeout(Duration::ZERO), self.unfinished == 0);
        }
    }
}

fn plain(maxsize: usize, next: fn(&mut Vec<u8>) -> u8) -> Plain {
    Plain { items: Vec::new(), next, maxsize, closed: false, unfinished: 0 }
}

proptest! {
    #[test]
    fn a_fifo_queue_is_a_plain_one(maxsize in 0_usize..100, steps in steps()) {
        plain(maxsize, |items| items.remove(0)).follows(&Queue::new(maxsize), steps);
    }

    #[test]
    fn a_lifo_queue_is_a_plain_one(maxsize in 0_usize..100, steps in steps()) {
        plain(maxsize, |items| items.pop().unwrap()).follows(&LifoQueue::new(maxsize), steps);
    }

    #[test]
    fn a_priority_queue_is_a_plain_one(maxsize in 0_usize..100, steps in steps()) {
        let least = |items: &mut Vec<u8>| {
            let least = (0..items.len()).min_by_key(|&i| items[i]).unwrap();
            items.remove(least)
        };
        plain(maxsize, least).follows(&PriorityQueue::new(maxsize), steps);
    }

    #[test]
    fn a_min_heap_is_std_s_heap_the_other_way_round(ops in prop::collection::vec(any::<Option<u16>>(), 0..300)) {
        let (queue, mut heap) = (PriorityQueue::new(0), BinaryHeap::new());
        for op in ops {
            match op {
                Some(number) => {
                    queue.put(number).unwrap();
                    heap.push(std::cmp::Reverse(number));
                }
                None => prop_assert_eq!(queue.try_get().ok(), heap.pop().map(|reverse| reverse.0)),
            }
        }
    }
}
