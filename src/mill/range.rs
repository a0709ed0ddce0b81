//! A loop that its participants share: whoever runs out robs half of what another has left.
//!
//! Each participant has a *part*: one word with the two ends of its own range. The owner takes pieces from
//! the front; thieves cut the back half off. The caller begins with the whole range in the first part. A
//! participant that has work left keeps one *invitation* in its line, where any idle worker finds it; whoever
//! accepts takes the next free part, robs, and invites others in turn. So a loop that nobody else has time for is
//! run by its caller alone, at the cost of one push and pop, and what waits behind one long item is there
//! for others to take.
//!
//! Pieces start at one item and double, up to a sixteenth of what is left of the participant's range: cheap
//! items soon come by the thousand, dear ones stay apart, and near the end pieces are small again. (Compare
//! guided self-scheduling: Constantine Polychronopoulos, David Kuck, 1987. Robbing half of a range: Danny Hendler, Nir
//! Shavit, "Non-blocking steal-half work queues", 2002; here the range is one word.)
//!
//! A participant's consecutive pieces form a *segment*, which has one accumulator; a new one begins after each
//! robbery. There are few of them, and sorted by where they begin they give the loop's result in order.
//!
//! A loop may begin with *shares*: runs of units for each seat, which whoever sits there takes first (`affinity.rs`). Then
//! a participant's part is that of its seat. What is in a share and not in the part yet can be robbed as well, but what
//! belongs to somebody who has not come so far, or is nearly done, only after a little while.

#![allow(unsafe_code, reason = "invitations point to the loop, which lives in the caller's frame")]

use std::cell::Cell;
use std::ops::Range;
use std::ptr;
// What it says changes nothing that a model looks at.
use std::sync::atomic::AtomicUsize as Hint;

use crate::mill::cancel;
use crate::mill::job::{Header, JobRef, Stamp};
use crate::mill::latch::Latch;
use crate::mill::shares::Shares;
use crate::mill::wait::rob_family;
use crate::mill::worker::{PATIENCE, Worker, pause};
use crate::prim::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::prim::{Mutex, lock};
use crate::unwind::{self, Payload};

/// What one participant made of a run of consecutive items.
pub(crate) struct Segment<A> {
    pub(crate) range: Range<usize>,
    /// The seat of who made it.
    pub(crate) runner: usize,
    pub(crate) value: A,
}

/// Both ends of a range of units.
#[derive(Clone, Copy)]
struct Ends {
    low: u32,
    high: u32,
}

impl Ends {
    fn unpack(word: u64) -> Self {
        Ends { low: word as u32, high: (word >> 32) as u32 }
    }

    fn pack(self) -> u64 {
        u64::from(self.low) | u64::from(self.high) << 32
    }

    fn len(self) -> u32 {
        self.high.saturating_sub(self.low)
    }
}

/// One participant's part; on cache lines of its own.
#[repr(C, align(128))]
pub(super) struct Part {
    /// First, so that a pointer to it is one to the part.
    invitation: Header,
    ends: AtomicU64,
    /// The invitation is in a line, or on its way to somebody.
    out: AtomicBool,
    /// Somebody takes part with it. Where parts belong to seats only.
    taken: AtomicBool,
    /// The node that its owner sits on: a hint.
    node: Hint,
    /// The loop.
    owner: Cell<*const ()>,
}

/// A unit that is left on the robber's own node counts as so many on another.
const NEAR_IS_WORTH: u64 = 4;

/// The most items between two looks at whether the loop is to stop.
const LONG: usize = 1 << 24;

/// Parts that need no allocation.
const FEW: usize = 4;

struct Loop<I, S, A> {
    few: [Part; FEW],
    many: Box<[Part]>,
    /// How many parts there are.
    parts: usize,
    /// How many may take part.
    most: usize,
    /// How many have wanted to.
    joined: AtomicUsize,
    /// What each seat is to take first, if that was said. As many as parts.
    shares: Option<Shares>,
    /// Items in a unit, and all items.
    unit: usize,
    len: usize,
    stop: AtomicBool,
    /// Participants and invitations that are not over.
    pending: AtomicUsize,
    done: Latch,
    panic: Mutex<Option<Payload>>,
    segments: Mutex<Vec<Segment<A>>>,
    token: *const (),
    init: I,
    step: S,
}

/// Runs `step` over pieces that together are `0..len`, on this worker and whoever else comes; each segment's
/// value goes from `init` through the steps over its pieces. Returns the segments in order.
///
/// Panics with the first panic of `init` or `step` once nobody is in them any more; unwinds if the work was
/// cancelled. What was made until then is dropped.
pub(crate) fn segments<A, I, S>(len: usize, init: I, step: S) -> Vec<Segment<A>>
where
    A: Send,
    I: Fn() -> A + Sync,
    S: Fn(A, Range<usize>) -> A + Sync,
{
    shared_segments(len, None, init, step)
}

/// How many items there are in a unit of a loop over `len`. Both ends of a range must fit into one word: very long loops go
/// by units of several items.
pub(crate) fn unit_of(len: usize) -> usize {
    len.div_ceil(1 << 31).max(1)
}

/// As [`segments`], where each seat begins with its share. The shares are all units, each once; there is one for each of
/// the mill's first seats, the caller's among them.
pub(crate) fn shared_segments<A, I, S>(
    len: usize,
    shares: Option<Shares>,
    init: I,
    step: S,
) -> Vec<Segment<A>>
where
    A: Send,
    I: Fn() -> A + Sync,
    S: Fn(A, Range<usize>) -> A + Sync,
{
    let worker = Worker::seated();
    let unit = unit_of(len);
    let units = len.div_ceil(unit);
    let most = worker.hall.workers().min(units).max(1);
    let parts = shares.as_ref().map_or(most, Shares::seats);
    let own = if shares.is_some() { worker.seat.index } else { 0 };
    debug_assert!(own < parts);
    let shared = Loop {
        few: std::array::from_fn(|_| Part::new(accept::<I, S, A>)),
        many: (FEW..parts).map(|_| Part::new(accept::<I, S, A>)).collect(),
        parts,
        most,
        joined: AtomicUsize::new(1),
        shares,
        unit,
        len,
        stop: AtomicBool::new(false),
        pending: AtomicUsize::new(1),
        done: Latch::new(),
        panic: Mutex::new(None),
        segments: Mutex::new(Vec::new()),
        token: cancel::current_ptr(),
        init,
        step,
    };
    for part in shared.few.iter().chain(&shared.many) {
        part.owner.set(ptr::from_ref(&shared).cast());
        // SAFETY: the part is in place, and nobody else has seen it.
        unsafe { part.job().stamp(Stamp { family: shared.family(), token: shared.token }) };
    }
    shared.part(own).taken.store(true, Ordering::Relaxed);
    if shared.shares.is_none() {
        shared.part(own).hold(0..units as u32);
    }
    // Jobs that the items spawn into a scope around the loop do not belong on top of its invitation.
    let scope = worker.seat.owner.scope.replace(ptr::null());
    shared.participate(worker, own);
    worker.wait(&shared.done, rob_family(shared.family()));
    worker.seat.owner.scope.set(scope);

    let mut segments = shared.segments.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let panic = shared.panic.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(payload) = panic {
        segments.into_iter().for_each(unwind::drop_quietly);
        unwind::resume(payload);
    }
    if shared.stop.load(Ordering::Relaxed) && cancel::must_unwind(shared.token) {
        segments.into_iter().for_each(unwind::drop_quietly);
        cancel::unwind_now();
    }
    segments.sort_unstable_by_key(|segment| segment.range.start);
    segments
}

impl Part {
    fn new(accept: unsafe fn(*const Header)) -> Self {
        Part {
            invitation: Header::new(accept),
            ends: AtomicU64::new(0),
            out: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            node: Hint::new(0),
            owner: Cell::new(ptr::null()),
        }
    }

    fn job(&self) -> JobRef {
        // A pointer to the first field, with the provenance of the whole.
        JobRef::new(ptr::from_ref(self).cast())
    }

    /// One that no loop has, for a model.
    #[cfg(all(test, loom))]
    pub(super) fn holding(units: Range<u32>) -> Self {
        let part = Part::new(|_| unreachable!("nobody is invited"));
        part.hold(units);
        part
    }

    /// Puts units into it; only its owner does, while it is empty.
    fn hold(&self, units: Range<u32>) {
        self.ends.store(Ends { low: units.start, high: units.end }.pack(), Ordering::Relaxed);
    }

    fn node(&self) -> usize {
        self.node.load(Ordering::Relaxed)
    }

    /// How many units it has left.
    fn left(&self) -> u32 {
        Ends::unpack(self.ends.load(Ordering::Relaxed)).len()
    }

    /// Takes up to `most` units from the front; only the part's owner does.
    pub(super) fn take_front(&self, most: u32) -> Option<Range<u32>> {
        let mut word = self.ends.load(Ordering::Relaxed);
        loop {
            let ends = Ends::unpack(word);
            let taken = most.min((ends.len() / 16).max(1)).min(ends.len());
            if taken == 0 {
                return None;
            }
            let left = Ends { low: ends.low + taken, high: ends.high };
            // Relaxed: the word says who runs which items, and carries nothing else. What items may read was
            // there before the loop, and reached this thread with its part or its invitation.
            match self.ends.compare_exchange_weak(word, left.pack(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(ends.low..left.low),
                Err(now) => word = now,
            }
        }
    }

    /// Cuts the back half off.
    pub(super) fn rob(&self) -> Option<Range<u32>> {
        let mut word = self.ends.load(Ordering::Relaxed);
        loop {
            let ends = Ends::unpack(word);
            if ends.len() == 0 {
                return None;
            }
            let cut = ends.high - ends.len().div_ceil(2);
            let left = Ends { low: ends.low, high: cut };
            match self.ends.compare_exchange_weak(word, left.pack(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(cut..ends.high),
                Err(now) => word = now,
            }
        }
    }
}

unsafe fn accept<I, S, A>(header: *const Header)
where
    A: Send,
    I: Fn() -> A + Sync,
    S: Fn(A, Range<usize>) -> A + Sync,
{
    // SAFETY: `header` is the first field of a part, whose loop waits until this invitation is counted off.
    let part = unsafe { &*header.cast::<Part>() };
    // SAFETY: parts point to their loop, which has these types: `segments` pairs them.
    let shared = unsafe { &*part.owner.get().cast::<Loop<I, S, A>>() };
    let worker = Worker::seated();
    // From here on the part's owner may invite again.
    // ORDERING(invitation): Release; pairs with the load in `invite`.
    part.out.store(false, Ordering::Release);
    let joined = shared.joined.fetch_add(1, Ordering::Relaxed);
    match shared.part_for(worker, joined) {
        Some(index) => shared.participate(worker, index),
        None => shared.count_off(),
    }
}

impl<I, S, A> Loop<I, S, A> {
    fn family(&self) -> *const () {
        // Not the loop's own address: that may be the first invitation's, and a job that is a family of its own
        // is a join's.
        ptr::from_ref(&self.done).cast()
    }

    fn part(&self, index: usize) -> &Part {
        self.few.get(index).unwrap_or_else(|| &self.many[index - FEW])
    }

    /// The part of somebody who comes when so many have come before; none if it cannot take part.
    fn part_for(&self, worker: Worker<'_>, joined: usize) -> Option<usize> {
        if joined >= self.most {
            return None;
        }
        if self.shares.is_none() {
            return Some(joined);
        }
        let index = worker.seat.index;
        // A thread may come twice, if its own piece waits for something and it runs whatever there is meanwhile.
        if index < self.parts && !self.part(index).taken.swap(true, Ordering::Relaxed) {
            return Some(index);
        }
        // Somebody else shall come instead.
        self.joined.fetch_sub(1, Ordering::Relaxed);
        None
    }

    fn count_off(&self) {
        // ORDERING(loop): Release publishes what the participant did, Acquire collects it for the latch.
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: whoever counts off the last sets the latch, once; the caller is there until then.
            unsafe { Latch::set(&self.done) };
        }
    }
}

impl<I, S, A> Loop<I, S, A>
where
    A: Send,
    I: Fn() -> A + Sync,
    S: Fn(A, Range<usize>) -> A + Sync,
{
    /// Works until there is nothing left to take, and counts off.
    fn participate(&self, worker: Worker<'_>, index: usize) {
        let part = self.part(index);
        part.node.store(worker.seat.node(), Ordering::Relaxed);
        if let Err(payload) = unwind::halt(|| self.work(worker, part, index)) {
            self.stop.store(true, Ordering::Relaxed);
            let mut first = lock(&self.panic);
            if first.is_none() {
                *first = Some(payload);
            } else {
                drop(first);
                unwind::drop_quietly(payload);
            }
        }
        if part.out.load(Ordering::Relaxed) {
            // Nobody came for the invitation, unless somebody has just taken it.
            if let Some(back) = worker.seat.deque.pop_public() {
                debug_assert_eq!(back, part.job(), "an invitation is the youngest job when its work is over");
                self.pending.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.count_off();
    }

    fn work(&self, worker: Worker<'_>, part: &Part, index: usize) {
        let begins = self.shares.is_none() && index == 0;
        let mut more = begins || self.draw(part, index) || self.rob_into(part, index);
        while more {
            if let Some(first) = self.next_piece(part, 1) {
                self.invite(worker, part);
                let mut range = first.clone();
                let mut value = self.take_steps((self.init)(), first);
                let mut most = 2;
                while let Some(piece) = self.next_piece(part, most) {
                    self.invite(worker, part);
                    range.end = piece.end;
                    value = self.take_steps(value, piece);
                    most = most.saturating_mul(2);
                }
                lock(&self.segments).push(Segment { range, runner: worker.seat.index, value });
            }
            more = self.draw(part, index) || self.rob_into(part, index);
        }
    }

    /// The next run of units of our own share.
    fn draw(&self, part: &Part, index: usize) -> bool {
        let units = self.shares.as_ref().and_then(|shares| shares.draw(index));
        let drawn = units.is_some();
        units.into_iter().for_each(|units| part.hold(units));
        drawn && !self.stop.load(Ordering::Relaxed)
    }

    fn next_piece(&self, part: &Part, most: u32) -> Option<Range<usize>> {
        if self.must_stop() {
            return None;
        }
        let units = part.take_front(most)?;
        let item = |unit: u32| (unit as usize).saturating_mul(self.unit).min(self.len);
        Some(item(units.start)..item(units.end))
    }

    /// One step, but for units of very many items: those are left half done when the loop is to stop.
    fn take_steps(&self, mut value: A, mut piece: Range<usize>) -> A {
        while piece.len() > LONG && !self.must_stop() {
            let rest = piece.start + LONG;
            value = (self.step)(value, piece.start..rest);
            piece.start = rest;
        }
        if piece.len() > LONG { value } else { (self.step)(value, piece) }
    }

    fn must_stop(&self) -> bool {
        if cancel::must_unwind(self.token) {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.stop.load(Ordering::Relaxed)
    }

    /// While this part has work left, an invitation to it is in our line.
    fn invite(&self, worker: Worker<'_>, part: &Part) {
        if self.joined.load(Ordering::Relaxed) >= self.most {
            return;
        }
        // ORDERING(invitation): Acquire; pairs with the store in `accept`.
        let out = part.out.load(Ordering::Acquire);
        let shares_left = || self.shares.as_ref().is_some_and(|shares| shares.all_left() > 0);
        if !out && (part.left() > 0 || shares_left()) {
            part.out.store(true, Ordering::Relaxed);
            self.pending.fetch_add(1, Ordering::Relaxed);
            worker.push_public(part.job());
        }
    }

    /// Robs whoever has most left; false if nobody has anything. Who sits on another node must have much more than those on
    /// ours.
    fn rob_into(&self, part: &Part, index: usize) -> bool {
        if let Some(shares) = &self.shares {
            return self.rob_share_into(shares, part, index);
        }
        let parts = self.joined.load(Ordering::Relaxed).min(self.parts);
        while !self.stop.load(Ordering::Relaxed) {
            let left = |victim: usize| self.part(victim).left();
            let worth = |victim: usize| {
                let near = self.part(victim).node() == part.node();
                u64::from(left(victim)) * if near { NEAR_IS_WORTH } else { 1 }
            };
            let richest = (0..parts).filter(|&victim| victim != index).max_by_key(|&victim| worth(victim));
            let Some(victim) = richest.filter(|&victim| left(victim) > 0) else { return false };
            if let Some(units) = self.part(victim).rob() {
                part.hold(units);
                return true;
            }
        }
        false
    }

    /// As [`rob_into`](Self::rob_into), where parts belong to seats. For a little while it leaves to their owners what is
    /// not much, and what belongs to those who have not come yet.
    fn rob_share_into(&self, shares: &Shares, part: &Part, index: usize) -> bool {
        let few = (self.len.div_ceil(self.unit) / self.most / 16) as u32;
        let mut round = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let left = |victim: usize| self.part(victim).left().saturating_add(shares.left(victim));
            let others = || (0..self.parts).filter(|&victim| victim != index && left(victim) > 0);
            let willing =
                |victim: &usize| left(*victim) > few && self.part(*victim).taken.load(Ordering::Relaxed);
            let richest = others().filter(willing).max_by_key(|&victim| left(victim));
            let victim = match richest {
                Some(victim) => victim,
                None if round < PATIENCE => {
                    if others().next().is_none() {
                        return false;
                    }
                    pause(round);
                    round += 1;
                    continue;
                }
                None => match others().max_by_key(|&victim| left(victim)) {
                    Some(victim) => victim,
                    None => return false,
                },
            };
            if let Some(units) = shares.rob(victim).or_else(|| self.part(victim).rob()) {
                part.hold(units);
                return true;
            }
        }
        false
    }
}
