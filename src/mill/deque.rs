//! Queues of jobs: Chase-Lev deques and inboxes, by crossbeam; under loom the same promises in the fewest words.
//!
//! Source: David Chase, Yossi Lev, "Dynamic circular work-stealing deque" (2005).

use crate::mill::job::JobRef;

pub(crate) use imp::{Inbox, Own, Thief};

/// What came of an attempt to steal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steal {
    /// A job, and nothing was left behind it.
    Last(JobRef),
    /// A job; there are more.
    More(JobRef),
    Empty,
}

impl Steal {
    pub(crate) fn job(self) -> Option<JobRef> {
        match self {
            Steal::Last(job) | Steal::More(job) => Some(job),
            Steal::Empty => None,
        }
    }
}

#[cfg(not(loom))]
mod imp {
    use crossbeam_deque as deque;

    use super::Steal;
    use crate::mill::job::JobRef;

    /// Nothing; but for ThreadSanitizer (`ci/tsan.sh`), which does not understand the fences by which a deque hands a job
    /// from its owner to a thief, an edge from what was pushed to who takes it.
    #[derive(Clone, Default)]
    struct Edge(#[cfg(sanitizer)] std::sync::Arc<std::sync::atomic::AtomicUsize>);

    impl Edge {
        #[inline(always)]
        fn before_push(&self) {
            #[cfg(sanitizer)]
            self.0.fetch_add(1, std::sync::atomic::Ordering::Release);
        }

        #[inline(always)]
        fn after_take(&self) {
            #[cfg(sanitizer)]
            self.0.load(std::sync::atomic::Ordering::Acquire);
        }
    }

    /// The owner's end of a Chase-Lev deque: last in, first out.
    pub(crate) struct Own(deque::Worker<JobRef>, Edge);

    impl Own {
        pub(crate) fn new() -> Self {
            Own(deque::Worker::new_lifo(), Edge::default())
        }

        pub(crate) fn thief(&self) -> Thief {
            Thief(self.0.stealer(), self.1.clone())
        }

        pub(crate) fn push(&self, job: JobRef) {
            self.1.before_push();
            self.0.push(job);
        }

        pub(crate) fn pop(&self) -> Option<JobRef> {
            self.0.pop()
        }

        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    /// The other end.
    pub(crate) struct Thief(deque::Stealer<JobRef>, Edge);

    impl Thief {
        pub(crate) fn steal(&self) -> Steal {
            // crossbeam's own look at an empty deque would pin this thread first.
            if self.0.is_empty() {
                return Steal::Empty;
            }
            loop {
                match self.0.steal() {
                    deque::Steal::Success(job) => {
                        self.1.after_take();
                        return if self.0.is_empty() { Steal::Last(job) } else { Steal::More(job) };
                    }
                    deque::Steal::Empty => return Steal::Empty,
                    // Somebody else got it: the line moves on, so this ends.
                    deque::Steal::Retry => crate::prim::spin_loop(),
                }
            }
        }

        /// Moves up to half of the jobs to `into` and returns one of them.
        pub(crate) fn steal_batch(&self, into: &Own) -> Option<JobRef> {
            loop {
                match self.0.steal_batch_and_pop(&into.0) {
                    deque::Steal::Success(job) => {
                        self.1.after_take();
                        into.1.before_push();
                        return Some(job);
                    }
                    deque::Steal::Empty => return None,
                    deque::Steal::Retry => crate::prim::spin_loop(),
                }
            }
        }

        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    /// A queue that everybody pushes to and everybody takes from: first in, first out.
    pub(crate) struct Inbox(deque::Injector<JobRef>);

    impl Inbox {
        pub(crate) fn new() -> Self {
            Inbox(deque::Injector::new())
        }

        pub(crate) fn push(&self, job: JobRef) {
            self.0.push(job);
        }

        pub(crate) fn take(&self) -> Option<JobRef> {
            loop {
                match self.0.steal() {
                    deque::Steal::Success(job) => return Some(job),
                    deque::Steal::Empty => return None,
                    deque::Steal::Retry => crate::prim::spin_loop(),
                }
            }
        }

        /// Moves a batch of jobs to `into` and returns the first.
        pub(crate) fn take_batch(&self, into: &Own) -> Option<JobRef> {
            loop {
                match self.0.steal_batch_and_pop(&into.0) {
                    deque::Steal::Success(job) => return Some(job),
                    deque::Steal::Empty => return None,
                    deque::Steal::Retry => crate::prim::spin_loop(),
                }
            }
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }
}

/// The same promises in the fewest words, with the orderings of the real ones, for loom.
#[cfg(loom)]
mod imp {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};

    use super::Steal;
    use crate::mill::job::JobRef;

    /// More jobs than any model has in one line.
    const ROOM: usize = 4;

    struct Line {
        front: AtomicUsize,
        back: AtomicUsize,
        jobs: [AtomicPtr<()>; ROOM],
    }

    impl Line {
        fn new() -> Arc<Line> {
            Arc::new(Line {
                // So that `back` can go below it for a moment.
                front: AtomicUsize::new(1),
                back: AtomicUsize::new(1),
                jobs: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            })
        }

        fn put(&self, at: usize, job: JobRef, order: Ordering) {
            self.jobs[at % ROOM].store(job.as_ptr().cast_mut().cast(), order);
        }

        fn get(&self, at: usize) -> JobRef {
            JobRef::new(self.jobs[at % ROOM].load(Ordering::Relaxed).cast_const().cast())
        }
    }

    /// A Chase-Lev deque that does not grow.
    pub(crate) struct Own(Arc<Line>);

    impl Own {
        pub(crate) fn new() -> Self {
            Own(Line::new())
        }

        pub(crate) fn thief(&self) -> Thief {
            Thief(Arc::clone(&self.0))
        }

        pub(crate) fn push(&self, job: JobRef) {
            let back = self.0.back.load(Ordering::Relaxed);
            assert!(back - self.0.front.load(Ordering::Acquire) < ROOM, "the model needs more room");
            self.0.put(back, job, Ordering::Relaxed);
            fence(Ordering::Release);
            self.0.back.store(back + 1, Ordering::Relaxed);
        }

        pub(crate) fn pop(&self) -> Option<JobRef> {
            let back = self.0.back.load(Ordering::Relaxed);
            if back <= self.0.front.load(Ordering::Relaxed) {
                return None;
            }
            self.0.back.store(back - 1, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let front = self.0.front.load(Ordering::Relaxed);
            if back - 1 < front {
                self.0.back.store(back, Ordering::Relaxed);
                return None;
            }
            let job = self.0.get(back - 1);
            if back - 1 == front {
                let won =
                    self.0.front.compare_exchange(front, front + 1, Ordering::SeqCst, Ordering::Relaxed);
                self.0.back.store(back, Ordering::Relaxed);
                return won.is_ok().then_some(job);
            }
            Some(job)
        }

        pub(crate) fn len(&self) -> usize {
            let back = self.0.back.load(Ordering::Relaxed);
            back.saturating_sub(self.0.front.load(Ordering::SeqCst))
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }

    /// The other end.
    pub(crate) struct Thief(Arc<Line>);

    impl Thief {
        pub(crate) fn steal(&self) -> Steal {
            loop {
                let front = self.0.front.load(Ordering::Acquire);
                fence(Ordering::SeqCst);
                if self.0.back.load(Ordering::Acquire) <= front {
                    return Steal::Empty;
                }
                let job = self.0.get(front);
                let won =
                    self.0.front.compare_exchange(front, front + 1, Ordering::SeqCst, Ordering::Relaxed);
                match won {
                    Ok(_) if self.is_empty() => return Steal::Last(job),
                    Ok(_) => return Steal::More(job),
                    Err(_) => loom::thread::yield_now(),
                }
            }
        }

        /// Takes two jobs at most: one for `into`, and the one returned.
        pub(crate) fn steal_batch(&self, into: &Own) -> Option<JobRef> {
            let job = self.steal().job();
            if let Some(second) = job.and_then(|_| self.steal().job()) {
                into.push(second);
            }
            job
        }

        pub(crate) fn len(&self) -> usize {
            let front = self.0.front.load(Ordering::Acquire);
            fence(Ordering::SeqCst);
            self.0.back.load(Ordering::Acquire).saturating_sub(front)
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }

    /// A queue that does not turn round: each place is used once.
    pub(crate) struct Inbox(Arc<Line>);

    impl Inbox {
        pub(crate) fn new() -> Self {
            Inbox(Line::new())
        }

        pub(crate) fn push(&self, job: JobRef) {
            let back = self.0.back.fetch_add(1, Ordering::SeqCst);
            assert!(back <= ROOM, "the model needs more room");
            self.0.put(back, job, Ordering::Release);
        }

        pub(crate) fn take(&self) -> Option<JobRef> {
            loop {
                let front = self.0.front.load(Ordering::Acquire);
                fence(Ordering::SeqCst);
                if self.0.back.load(Ordering::Acquire) <= front {
                    return None;
                }
                let won =
                    self.0.front.compare_exchange(front, front + 1, Ordering::SeqCst, Ordering::Relaxed);
                if won.is_ok() {
                    while self.0.jobs[front % ROOM].load(Ordering::Acquire).is_null() {
                        loom::thread::yield_now();
                    }
                    return Some(self.0.get(front));
                }
                loom::thread::yield_now();
            }
        }

        /// As [`Thief::steal_batch`].
        pub(crate) fn take_batch(&self, into: &Own) -> Option<JobRef> {
            let job = self.take();
            if let Some(second) = job.and_then(|_| self.take()) {
                into.push(second);
            }
            job
        }

        pub(crate) fn is_empty(&self) -> bool {
            let front = self.0.front.load(Ordering::SeqCst);
            front == self.0.back.load(Ordering::SeqCst)
        }
    }
}
