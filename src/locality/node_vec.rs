//! A vector whose memory is divided among NUMA nodes.
//!
//! Its elements are one slice, in pages of their own. The slice is cut into *parts*, one for each node, at the element
//! next to a page's bound; before anything is written the kernel is told on which node the pages of each part are to be
//! (`mbind`), so it does not matter who writes first. Where the kernel takes no such orders, a page comes from the node of
//! whoever touches it first, and [`Mill::node_vec`](crate::Mill::node_vec) has each part made by workers of its node.

#![allow(unsafe_code, reason = "elements in pages from the kernel, made in place")]

use std::fmt;
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::{self, NonNull};

use crate::locality::memory::MemoryError;
use crate::sys::mempolicy::{self, Policy};
use crate::sys::pages::{self, Pages};
use crate::topology::Topology;

/// A node's part of a [`NodeVec`].
///
/// # Examples
///
/// ```
/// use gristmill::{locality::NodeVec, topology::Topology};
///
/// let grains = NodeVec::from_fn(&Topology::detect(), 1_000, |i| i)?;
/// for part in grains.parts() {
///     println!("node {} has {:?}", part.os_id, part.elements);
/// }
/// assert_eq!(grains.parts().last().unwrap().elements.end, 1_000);
/// # Ok::<(), gristmill::locality::MemoryError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodePart {
    /// The logical index of the node, as [`Topology::nodes`] and [`Mill::spawn_on`](crate::Mill::spawn_on) have it.
    pub node: usize,
    /// The kernel's number for it, as [`Placement`](super::Placement) has it.
    pub os_id: usize,
    /// Its elements; may be empty.
    pub elements: Range<usize>,
}

/// A vector of fixed length whose memory is divided among NUMA nodes.
///
/// For large arrays that many workers go over again and again: each node's workers find their part in their own memory,
/// and all memory controllers work. It is one slice (`Deref`), and [`parts`](Self::parts) says which elements are on which
/// node. Nearest in Python: a `numpy` array under `numactl`.
///
/// # Examples
///
/// ```
/// use gristmill::locality::NodeVec;
/// use gristmill::topology::Topology;
///
/// let machine = Topology::detect();
/// let mut heights = NodeVec::from_fn(&machine, 10_000, |i| i as f64)?;
/// heights[17] += 1.0;
/// assert_eq!((heights.len(), heights[17]), (10_000, 18.0));
/// for part in heights.parts() {
///     println!("node {} has elements {:?}", part.node, part.elements);
/// }
/// # Ok::<(), gristmill::locality::MemoryError>(())
/// ```
pub struct NodeVec<T> {
    room: Room<T>,
    elements: PhantomData<T>,
}

/// How to divide the memory of a [`NodeVec`]; made by [`NodeVec::builder`].
///
/// # Examples
///
/// ```
/// use gristmill::locality::{NodeVec, Spread};
/// use gristmill::topology::Topology;
///
/// let machine = Topology::detect();
/// let table = NodeVec::<u32>::builder(&machine).spread(Spread::Interleaved).huge_pages(true).from_fn(1 << 20, |_| 0);
/// match table {
///     Ok(table) => assert_eq!(table.len(), 1 << 20),
///     Err(error) => assert!(error.is_unavailable(), "{error}"), // in a container that denies `mbind`
/// }
/// ```
#[must_use = "a builder does nothing until `from_fn`"]
#[derive(Clone, Debug)]
pub struct NodeVecBuilder<'a, T> {
    machine: &'a Topology,
    nodes: Option<Vec<usize>>,
    spread: Spread,
    strict: bool,
    huge: bool,
    elements: PhantomData<fn() -> T>,
}

/// How memory is spread over nodes.
///
/// # Examples
///
/// ```
/// use gristmill::{locality::{NodeVec, Spread}, topology::Topology};
///
/// let machine = Topology::synthetic("core:4")?;
/// let table = NodeVec::builder(&machine).spread(Spread::Interleaved).from_fn(1_000, |i| i)?;
/// assert_eq!(table.parts().len(), 1, "whichever page is where");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Spread {
    /// A part of neighbouring elements for each node: for loops in which each worker stays in its part.
    #[default]
    Parts,
    /// Page by page in turn, whatever is in them: for tables that all workers look into everywhere. Small pages, unless
    /// [huge ones](NodeVecBuilder::huge_pages) are asked for.
    Interleaved,
}

impl<T> NodeVec<T> {
    /// Elements that `make` makes, given their positions, in parts over all nodes that have memory and units, each in
    /// proportion to its units. Made by the calling thread; see [`Mill::node_vec`](crate::Mill::node_vec) for one that is
    /// made in parallel.
    ///
    /// # Errors
    ///
    /// As [`NodeVecBuilder::from_fn`].
    ///
    /// # Panics
    ///
    /// With the panic of `make`; what it had made is dropped.
    pub fn from_fn(
        machine: &Topology,
        len: usize,
        make: impl FnMut(usize) -> T,
    ) -> Result<Self, MemoryError> {
        Self::builder(machine).from_fn(len, make)
    }

    /// Settings for a new one on this machine, which must be the one that we run on.
    pub fn builder(machine: &Topology) -> NodeVecBuilder<'_, T> {
        NodeVecBuilder {
            machine,
            nodes: None,
            spread: Spread::Parts,
            strict: false,
            huge: false,
            elements: PhantomData,
        }
    }

    /// Which elements are on which node: the parts in order, together all elements. Of a vector that is
    /// [interleaved](Spread::Interleaved) one part, that of its first node.
    #[must_use]
    pub fn parts(&self) -> &[NodePart] {
        &self.room.parts
    }

    /// The elements on the node with this logical index; empty if it has none.
    #[must_use]
    pub fn on(&self, node: usize) -> &[T] {
        let part = self.parts().iter().find(|part| part.node == node);
        part.map_or(&[], |part| &self[part.elements.clone()])
    }

    /// Each part with its elements, to be changed at the same time.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::{locality::NodeVec, topology::Topology};
    ///
    /// let machine = Topology::detect();
    /// let mut grains = NodeVec::from_fn(&machine, 1_000, |_| 0)?;
    /// gristmill::scope(|s| {
    ///     for (node, elements) in grains.parts_mut() {
    ///         s.spawn(move |_| elements.fill(node));
    ///     }
    /// });
    /// assert!(grains.parts().iter().all(|part| grains.on(part.node).iter().all(|grain| *grain == part.node)));
    /// # Ok::<(), gristmill::locality::MemoryError>(())
    /// ```
    pub fn parts_mut(&mut self) -> Vec<(usize, &mut [T])> {
        let parts = self.room.parts.clone();
        let mut rest: &mut [T] = self;
        let mut cut = Vec::with_capacity(parts.len());
        for part in parts {
            let (elements, after) = rest.split_at_mut(part.elements.len());
            cut.push((part.node, elements));
            rest = after;
        }
        cut
    }

    /// The logical index of the node that has the element at `index`.
    ///
    /// # Panics
    ///
    /// If there is no such element.
    #[must_use]
    pub fn node_of(&self, index: usize) -> usize {
        assert!(index < self.len(), "there is no element {index} among {}", self.len());
        let part = self.parts().partition_point(|part| part.elements.end <= index);
        self.parts()[part].node
    }
}

impl<T> NodeVecBuilder<'_, T> {
    /// The nodes that are to have it, by logical index, in this order; by default all that have memory and units.
    pub fn nodes(mut self, nodes: impl IntoIterator<Item = usize>) -> Self {
        self.nodes = Some(nodes.into_iter().collect());
        self
    }

    /// How it is spread over them.
    pub fn spread(mut self, spread: Spread) -> Self {
        self.spread = spread;
        self
    }

    /// Must pages come from their nodes? By default a page comes from elsewhere when its node is full; a strict one
    /// does not, and a process that wants more than its nodes have may be ended by the kernel.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Asks the kernel for huge pages, and cuts parts at their bounds. It gives them when it has some, unless
    /// `/sys/kernel/mm/transparent_hugepage/enabled` says never.
    pub fn huge_pages(mut self, huge: bool) -> Self {
        self.huge = huge;
        self
    }

    /// The vector, of elements that `make` makes, given their positions, on the calling thread.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoSuchNode`], [`MemoryError::NodeWithoutMemory`] and [`MemoryError::NoNodes`] for nodes that
    /// cannot have it; [`MemoryError::OutOfMemory`]; on a machine with several nodes [`MemoryError::Unavailable`] where
    /// the kernel has no memory policies or they are denied. With one node nothing need be asked of the kernel, unless
    /// it is to be [`strict`](Self::strict).
    ///
    /// # Panics
    ///
    /// With the panic of `make`; what it had made is dropped.
    pub fn from_fn(self, len: usize, mut make: impl FnMut(usize) -> T) -> Result<NodeVec<T>, MemoryError> {
        let weights: Vec<usize> = self.machine.nodes().iter().map(|node| node.units.len()).collect();
        let (room, placed) = self.room(len, &weights)?;
        placed?;
        // SAFETY: the only call.
        let made = unsafe { room.make(0..len, &mut make) };
        Ok(room.filled([made]))
    }

    /// Room for `len` elements, in parts by `weights` (one for each node of the machine), and whether the kernel took
    /// them.
    pub(crate) fn room(
        &self,
        len: usize,
        weights: &[usize],
    ) -> Result<(Room<T>, Result<(), MemoryError>), MemoryError> {
        let nodes = self.chosen(weights)?;
        // What has no huge page for each part is divided by small ones.
        let is_large = len.saturating_mul(size_of::<T>()) / pages::HUGE >= nodes.len();
        let grain = if self.huge && is_large { pages::HUGE } else { pages::size() };
        let pages = match len.checked_mul(size_of::<T>()) {
            Some(0) => None,
            bytes => {
                let bytes = bytes.filter(|&bytes| isize::try_from(bytes).is_ok()).unwrap_or(usize::MAX);
                let mapped = Pages::map(bytes, grain.max(align_of::<T>()));
                Some(mapped.map_err(|source| MemoryError::OutOfMemory { bytes, source })?)
            }
        };
        let os_id = |node: usize| self.machine.nodes()[node].os_id;
        let parts = if self.spread == Spread::Parts && pages.is_some() {
            let ends = cuts(len, size_of::<T>(), grain, nodes.iter().map(|&node| weights[node].max(1)));
            let starts = [0].into_iter().chain(ends.clone());
            let part = |(&node, (start, end)): (&usize, (usize, usize))| NodePart {
                node,
                os_id: os_id(node),
                elements: start..end,
            };
            nodes.iter().zip(starts.zip(ends)).map(part).collect()
        } else {
            vec![NodePart { node: nodes[0], os_id: os_id(nodes[0]), elements: 0..len }]
        };
        let room = Room { pages, len, parts, elements: PhantomData };
        if let Some(pages) = &room.pages {
            // A kernel without huge pages has none to give.
            let _ = match (self.huge, self.spread) {
                (true, _) => pages.prefer_huge(),
                (false, Spread::Interleaved) => pages.prefer_small(),
                (false, Spread::Parts) => Ok(()),
            };
        }
        let nodes: Vec<usize> = nodes.iter().map(|&node| os_id(node)).collect();
        let placed = self.place(&room, &nodes, grain);
        Ok((room, placed))
    }

    /// The nodes that are to have it, by logical index.
    fn chosen(&self, weights: &[usize]) -> Result<Vec<usize>, MemoryError> {
        let all = self.machine.nodes();
        let Some(chosen) = &self.nodes else {
            let has_memory = |node: &usize| all[*node].memory != Some(0);
            let with_units: Vec<usize> =
                (0..all.len()).filter(|&node| weights[node] > 0).filter(has_memory).collect();
            if !with_units.is_empty() {
                return Ok(with_units);
            }
            return Ok(vec![(0..all.len()).find(has_memory).ok_or(MemoryError::NoNodes)?]);
        };
        for &node in chosen {
            let Some(known) = all.get(node) else {
                return Err(MemoryError::NoSuchNode { node, nodes: all.len() });
            };
            if known.memory == Some(0) {
                return Err(MemoryError::NodeWithoutMemory { node, os_id: known.os_id });
            }
        }
        if chosen.is_empty() { Err(MemoryError::NoNodes) } else { Ok(chosen.clone()) }
    }

    /// Tells the kernel. `nodes` have its numbers.
    fn place(&self, room: &Room<T>, nodes: &[usize], grain: usize) -> Result<(), MemoryError> {
        let Some(pages) = &room.pages else { return Ok(()) };
        if self.machine.nodes().len() == 1 && !self.strict {
            return Ok(());
        }
        let bind = |bytes: Range<usize>, policy: Policy<'_>, nodes: &[usize]| {
            if bytes.is_empty() {
                return Ok(());
            }
            let start = pages.start().as_ptr().wrapping_add(bytes.start);
            mempolicy::bind(ptr::slice_from_raw_parts_mut(start, bytes.len()), policy, false)
                .map_err(|error| MemoryError::of("mbind", nodes, error))
        };
        if self.spread == Spread::Interleaved {
            return bind(0..pages.len(), Policy::Interleave(nodes), nodes);
        }
        let last = room.parts.len() - 1;
        for (number, part) in room.parts.iter().enumerate() {
            // An element that straddles a bound does not move it: `cuts` went by the nearest one.
            let bound = |element: usize| nearest(element * size_of::<T>(), grain).min(pages.len());
            let start = if number == 0 { 0 } else { bound(part.elements.start) };
            let end = if number == last { pages.len() } else { bound(part.elements.end) };
            let policy =
                if self.strict { Policy::Bind(&[part.os_id][..]) } else { Policy::Preferred(part.os_id) };
            bind(start..end.max(start), policy, &[part.os_id])?;
        }
        Ok(())
    }
}

/// The ends of the parts of `len` elements of `size` bytes: in proportion to `weights`, each at the element whose end is
/// next to a multiple of `grain` bytes.
fn cuts(
    len: usize,
    size: usize,
    grain: usize,
    weights: impl Iterator<Item = usize> + Clone,
) -> impl Iterator<Item = usize> + Clone {
    let total: u128 = weights.clone().map(|weight| weight as u128).sum();
    weights.scan(0_u128, move |sum, weight| {
        *sum += weight as u128;
        if *sum == total {
            return Some(len);
        }
        let bytes = (len as u128 * size as u128 * *sum / total) as usize;
        Some((nearest(bytes, grain).saturating_add(size / 2) / size).min(len))
    })
}

/// The multiple of `grain` that is nearest to `bytes`.
fn nearest(bytes: usize, grain: usize) -> usize {
    bytes.saturating_add(grain / 2) / grain * grain
}

/// Room for elements, of which none is there yet.
#[derive(Debug)]
pub(crate) struct Room<T> {
    /// None if the elements take no room.
    pages: Option<Pages>,
    len: usize,
    parts: Vec<NodePart>,
    elements: PhantomData<T>,
}

// SAFETY: a shared one gives nobody elements, but threads may put some in that go to others.
unsafe impl<T: Send> Sync for Room<T> {}

/// Elements that were made in a [`Room`]; drops them, unless the vector is made of them.
#[derive(Debug)]
pub(crate) struct Made<T> {
    first: NonNull<T>,
    range: Range<usize>,
}

// SAFETY: it owns the elements.
unsafe impl<T: Send> Send for Made<T> {}

impl<T> Made<T> {
    /// The position of the first.
    pub(crate) fn start(&self) -> usize {
        self.range.start
    }
}

impl<T> Drop for Made<T> {
    fn drop(&mut self) {
        if needs_drop::<T>() {
            let elements = ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.range.len());
            // SAFETY: they were made here, and nobody else has them.
            unsafe { elements.drop_in_place() };
        }
    }
}

impl<T> Room<T> {
    fn first(&self) -> NonNull<T> {
        self.pages.as_ref().map_or(NonNull::dangling(), |pages| pages.start().cast())
    }

    pub(crate) fn parts(&self) -> &[NodePart] {
        &self.parts
    }

    /// Makes these elements, maybe while others make others.
    ///
    /// # Safety
    ///
    /// No element is made twice.
    pub(crate) unsafe fn make(&self, range: Range<usize>, make: &mut impl FnMut(usize) -> T) -> Made<T> {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: within the mapping (or any place will do, for elements without a size).
        let first = unsafe { self.first().add(range.start) };
        let mut made = Made { first, range: range.start..range.start };
        for at in range {
            let element = make(at);
            // SAFETY: within the room.
            let place = unsafe { self.first().add(at) };
            // SAFETY: nothing is there yet, says the caller, and nobody else writes there.
            unsafe { place.write(element) };
            made.range.end = at + 1;
        }
        made
    }

    /// The vector of all elements, which were made in runs that are in order.
    ///
    /// # Panics
    ///
    /// If they are not all elements, each once.
    pub(crate) fn filled(self, made: impl IntoIterator<Item = Made<T>>) -> NodeVec<T> {
        let made: Vec<Made<T>> = made.into_iter().collect();
        let mut next = 0;
        for run in &made {
            assert_eq!(run.range.start, next, "an element was left out, or made twice");
            next = run.range.end;
        }
        assert_eq!(next, self.len, "elements were left out");
        made.into_iter().for_each(std::mem::forget);
        NodeVec { room: self, elements: PhantomData }
    }
}

impl<T> Drop for NodeVec<T> {
    fn drop(&mut self) {
        if needs_drop::<T>() {
            // SAFETY: all elements are there (`filled`), and the memory goes after them.
            unsafe { ptr::from_mut::<[T]>(self).drop_in_place() };
        }
    }
}

impl<T> Deref for NodeVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` elements are there (`filled`).
        unsafe { std::slice::from_raw_parts(self.room.first().as_ptr(), self.room.len) }
    }
}

impl<T> DerefMut for NodeVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and they are borrowed by us alone.
        unsafe { std::slice::from_raw_parts_mut(self.room.first().as_ptr(), self.room.len) }
    }
}

impl<T> AsRef<[T]> for NodeVec<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T> AsMut<[T]> for NodeVec<T> {
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<'a, T> IntoIterator for &'a NodeVec<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut NodeVec<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<T: fmt::Debug> fmt::Debug for NodeVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
