//! Futures that come out in the order in which they are done, one wake-up for each time that somebody waits.
//!
//! Each future has an *entry* with its listener. Whoever makes the future done pushes the listener on a stack; if the stack
//! was empty, and only then, he wakes the thread that waits. That one takes the whole stack and turns it round.
//!
//! A thread that is about to sleep stores its parker, then looks at the stack; whoever pushes reads the parker after that.
//! With a fence on both sides one of them sees the other.

#![allow(unsafe_code, reason = "entries that futures' lists point to")]

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::ptr::{self, NonNull};
use std::time::Instant;

use crate::future::blocking;
use crate::future::ended::Ended;
use crate::future::listener::{Listener, Tell};
use crate::future::waitable::Waitable;
use crate::prim::atomic::{AtomicPtr, Ordering, fence};
use crate::prim::fence_after_update;
use crate::sync::help::Awaited;
use crate::sync::parker::{Parker, Unparker};

/// The stack of those that are done.
struct Stack {
    top: AtomicPtr<Listener>,
    /// Who waits; null for nobody.
    waiter: AtomicPtr<Parker>,
}

impl Stack {
    /// # Safety
    ///
    /// `stack` is one, and, as the listener, alive until that is told.
    unsafe fn push(stack: *const (), node: *mut Listener, _: Ended) -> Option<Unparker> {
        // SAFETY: as the caller says.
        let stack = unsafe { &*stack.cast::<Stack>() };
        // SAFETY: as above.
        let listener = unsafe { &*node };
        let mut top = stack.top.load(Ordering::Relaxed);
        loop {
            listener.next().store(top, Ordering::Relaxed);
            // ORDERING(completions): Release; pairs with the swap in `take`.
            match stack.top.compare_exchange_weak(top, node, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(changed) => top = changed,
            }
        }
        if !top.is_null() {
            // Whoever pushed the first wakes the waiter.
            return None;
        }
        // ORDERING(completions-waiter): pushed, fence, look for who waits; pairs with the fence in `Filled::announce`.
        fence_after_update();
        // SAFETY: null or a parker, and parkers are never freed.
        unsafe { stack.waiter.load(Ordering::Acquire).as_ref() }
    }

    fn is_empty(&self) -> bool {
        self.top.load(Ordering::Relaxed).is_null()
    }

    fn take(&self) -> *mut Listener {
        // ORDERING(completions): Acquire; pairs with the exchange in `push`.
        self.top.swap(ptr::null_mut(), Ordering::Acquire)
    }
}

/// The wait for something on a stack.
struct Filled<'a> {
    stack: &'a Stack,
    deadline: Option<Instant>,
}

impl Awaited for Filled<'_> {
    fn is_over(&self) -> bool {
        !self.stack.is_empty() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn announce(&self) -> bool {
        let parker = Parker::current();
        self.stack.waiter.store(ptr::from_ref(parker).cast_mut(), Ordering::Release);
        // ORDERING(completions-waiter): see `Stack::push`.
        fence(Ordering::SeqCst);
        !self.is_over()
    }

    fn sleep(&self) {
        blocking::sleep_until(self.deadline);
    }

    fn runner(&self, _: *const ()) -> *const () {
        ptr::null()
    }

    fn family(&self) -> *const () {
        ptr::null()
    }
}

/// A future that is waited for.
#[repr(C)]
struct Entry<F> {
    listener: Listener,
    /// The owner's only.
    future: UnsafeCell<Option<F>>,
}

type Chunk<F> = NonNull<[Entry<F>]>;

/// What [`Completions::next`] found.
#[derive(Debug)]
pub(crate) enum Next<F> {
    /// A future that is done.
    Done(F),
    /// None is left.
    Nothing,
    /// The time is up.
    TimeUp,
}

/// See the module.
pub(crate) struct Completions<F: Waitable> {
    /// Out of a box, which would not let others look while it is moved.
    stack: NonNull<Stack>,
    chunks: Vec<Chunk<F>>,
    free: Vec<NonNull<Entry<F>>>,
    ready: VecDeque<F>,
    /// How many have been inserted and did not come out yet.
    pending: usize,
}

// SAFETY: entries belong to this; what others touch of them is made for that.
unsafe impl<F: Waitable + Send> Send for Completions<F> {}
// SAFETY: through a shared reference only numbers are seen.
unsafe impl<F: Waitable + Send> Sync for Completions<F> {}

impl<F: Waitable> Completions<F> {
    /// For so many futures to begin with.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let stack = Stack { top: AtomicPtr::new(ptr::null_mut()), waiter: AtomicPtr::new(ptr::null_mut()) };
        // SAFETY: out of a box.
        let stack = unsafe { NonNull::new_unchecked(Box::into_raw(Box::new(stack))) };
        let mut this =
            Completions { stack, chunks: Vec::new(), free: Vec::new(), ready: VecDeque::new(), pending: 0 };
        if capacity > 0 {
            this.grow(capacity);
        }
        this
    }

    fn grow(&mut self, entries: usize) {
        let chunk: Box<[Entry<F>]> = (0..entries)
            .map(|_| Entry { listener: self.listener(), future: UnsafeCell::new(None) })
            .collect();
        // SAFETY: out of a box.
        let chunk = unsafe { NonNull::new_unchecked(Box::into_raw(chunk)) };
        self.chunks.push(chunk);
        let first = chunk.cast::<Entry<F>>();
        // SAFETY: within the chunk.
        self.free.extend((0..entries).rev().map(|number| unsafe { first.add(number) }));
    }

    fn listener(&self) -> Listener {
        Listener::new(Tell::Note(Stack::push, self.stack.as_ptr().cast_const().cast()))
    }

    fn stack(&self) -> &Stack {
        // SAFETY: freed with us.
        unsafe { self.stack.as_ref() }
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// Adds a future.
    pub(crate) fn insert(&mut self, future: F) {
        self.pending += 1;
        if future.handle().is_done() {
            self.ready.push_back(future);
            return;
        }
        if self.free.is_empty() {
            self.grow((self.chunks.len() + 1) * 16);
        }
        let Some(mut place) = self.free.pop() else { unreachable!("grown just now") };
        // SAFETY: a free entry is ours alone.
        unsafe { place.as_mut() }.listener = self.listener();
        // SAFETY: in a chunk of ours.
        let entry = unsafe { place.as_ref() };
        // SAFETY: the owner's part.
        let future = unsafe { &mut *entry.future.get() }.insert(future);
        // The core stays where it is, wherever the future goes.
        // SAFETY: an entry begins with its listener, and stays until that is told.
        if !unsafe { future.handle().word.push_at(place.cast().as_ptr()) } {
            self.retrieve(place);
        }
    }

    /// A future that is done comes out of its entry, which nobody else looks at any more.
    fn retrieve(&mut self, place: NonNull<Entry<F>>) {
        // SAFETY: in a chunk of ours; the owner's part.
        let future = unsafe { (*place.as_ref().future.get()).take() };
        self.ready.extend(future);
        self.free.push(place);
    }

    /// Takes what is on the stack.
    fn collect(&mut self) {
        let mut rest = self.stack().take();
        let mut oldest: *mut Listener = ptr::null_mut();
        // SAFETY: listeners on the stack lie in our entries.
        while let Some(listener) = unsafe { rest.as_ref() } {
            let node = rest;
            rest = listener.next().load(Ordering::Relaxed);
            // Its link is ours once whoever pushed it is through with it.
            listener.await_told();
            listener.next().store(oldest, Ordering::Relaxed);
            oldest = node;
        }
        // SAFETY: as above.
        while let Some(listener) = unsafe { oldest.as_ref() } {
            // SAFETY: an entry begins with its listener, and the pointer is the one that was pushed: the entry's.
            let place = unsafe { NonNull::new_unchecked(oldest.cast::<Entry<F>>()) };
            oldest = listener.next().load(Ordering::Relaxed);
            self.retrieve(place);
        }
    }

    /// The next that is done; waits for it, at most until `deadline`.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Next<F> {
        loop {
            if let Some(future) = self.ready.pop_front() {
                self.pending -= 1;
                return Next::Done(future);
            }
            if self.pending == 0 {
                return Next::Nothing;
            }
            if self.stack().is_empty() && !self.wait(deadline) {
                return Next::TimeUp;
            }
            self.collect();
        }
    }

    /// Waits until something is on the stack; false if the time is up.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let filled = Filled { stack: self.stack(), deadline };
        blocking::until_over(&filled);
        self.stack().waiter.store(ptr::null_mut(), Ordering::Relaxed);
        !self.stack().is_empty()
    }

    /// Calls `look` with each future that is not done or did not come out yet.
    pub(crate) fn for_each_left(&self, mut look: impl FnMut(&F)) {
        self.ready.iter().for_each(&mut look);
        for entry in self.entries() {
            // SAFETY: the owner's part.
            if let Some(future) = unsafe { &*entry.future.get() } {
                look(future);
            }
        }
    }

    /// Takes out all that did not come out yet, done or not.
    pub(crate) fn take_left(&mut self, left: &mut Vec<F>) {
        left.extend(self.ready.drain(..));
        for entry in self.entries() {
            // SAFETY: the owner's part.
            if let Some(future) = unsafe { (*entry.future.get()).take() } {
                self.give_up(entry, &future);
                left.push(future);
            }
        }
        self.stack().take();
        self.pending = 0;
    }

    /// Nobody tells the entry's listener any more once this returns.
    fn give_up(&self, entry: &Entry<F>, future: &F) {
        if !entry.listener.is_told() && !future.handle().word.remove(&entry.listener) {
            entry.listener.await_told();
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry<F>> {
        // SAFETY: chunks are freed with us.
        self.chunks.iter().flat_map(|chunk| unsafe { chunk.as_ref() })
    }
}

impl<F: Waitable> Drop for Completions<F> {
    fn drop(&mut self) {
        for entry in self.entries() {
            // SAFETY: the owner's part.
            if let Some(future) = unsafe { &*entry.future.get() } {
                self.give_up(entry, future);
            }
        }
        for chunk in self.chunks.drain(..) {
            // SAFETY: out of a box in `grow`; nobody looks at any of its listeners any more.
            drop(unsafe { Box::from_raw(chunk.as_ptr()) });
        }
        // SAFETY: out of a box in `with_capacity`; whoever pushes to it tells a listener after that.
        drop(unsafe { Box::from_raw(self.stack.as_ptr()) });
    }
}
