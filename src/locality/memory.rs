//! Where memory lies: asked of the kernel, page by page.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use crate::sys::mempolicy::{self, Page};
use crate::sys::pages;

/// Why memory could not be placed, or its place not be found out.
///
/// # Examples
///
/// ```
/// use gristmill::{locality::{MemoryError, NodeVec}, topology::Topology};
///
/// let machine = Topology::detect();
/// let far = machine.nodes().len();
/// match NodeVec::builder(&machine).nodes([far]).from_fn(100, |i| i) {
///     Err(MemoryError::NoSuchNode { node, nodes, .. }) => assert_eq!((node, nodes), (far, far)),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The kernel has no memory policies, or they are denied to this process.
    #[error(
        "{call} is not to be had here: {source} (a kernel without NUMA, or a container's filter of system calls; \
         CAP_SYS_NICE lets it through in most)"
    )]
    #[non_exhaustive]
    Unavailable {
        /// The system call.
        call: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A node that the map does not have.
    #[error("there is no node {node} for memory: this machine has nodes 0 to {}", nodes - 1)]
    #[non_exhaustive]
    NoSuchNode {
        /// The logical index that was asked for.
        node: usize,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A node that has processors only.
    #[error(
        "node {node} (the kernel's number {os_id}) has no memory: name one that has, see `Topology::nodes`"
    )]
    #[non_exhaustive]
    NodeWithoutMemory {
        /// Its logical index.
        node: usize,
        /// The kernel's number for it.
        os_id: usize,
    },
    /// No node was named.
    #[error("an empty set of nodes for memory: name at least one, or leave the choice to the map")]
    NoNodes,
    /// So much memory is not to be had.
    #[error("{bytes} bytes for a vector over nodes are not to be had: {source}")]
    #[non_exhaustive]
    OutOfMemory {
        /// How much it was to be; `usize::MAX` if it was even more.
        bytes: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("{call} refused nodes {nodes:?} (the kernel's numbers): {source}")]
    #[non_exhaustive]
    Refused {
        /// The system call.
        call: &'static str,
        /// The nodes that it was given.
        nodes: Vec<usize>,
        /// What the kernel said.
        source: io::Error,
    },
}

impl MemoryError {
    pub(super) fn of(call: &'static str, nodes: &[usize], source: io::Error) -> Self {
        if mempolicy::is_unavailable(&source) {
            Self::Unavailable { call, source }
        } else {
            Self::Refused { call, nodes: nodes.to_vec(), source }
        }
    }

    /// Is it only that the kernel has no memory policies, or that they are denied to this process? Then memory is where
    /// whoever touched it first ran.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// How many pages of some memory lie on which node, at the moment it was asked.
///
/// Nodes have the kernel's numbers here ([`Node::os_id`](crate::topology::Node::os_id)), as `numactl` and
/// `/proc/self/numa_maps` have them. Pages may move later: the kernel may balance them, or others migrate this process.
///
/// # Examples
///
/// ```
/// use gristmill::locality::Placement;
///
/// let grains = vec![7_u64; 100_000];
/// match Placement::report(&grains) {
///     Ok(placement) => println!("{placement}"), // 196 pages of 4096 bytes: 196 on node 0
///     Err(error) => assert!(error.is_unavailable(), "{error}"),
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    page_size: usize,
    on: BTreeMap<usize, usize>,
    absent: usize,
    unknown: usize,
}

/// So many pages are asked about in one call.
const AT_A_TIME: usize = 4096;

impl Placement {
    /// Asks where each page of `data` lies. Pages at its ends count, though they may hold other things too.
    ///
    /// Takes some 0.1 us a page and changes nothing: a page that was never written is not brought in.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Unavailable`] where `move_pages` is, [`MemoryError::Refused`] with whatever else the kernel answers.
    #[doc(alias = "move_pages")]
    pub fn report<T>(data: &[T]) -> Result<Self, MemoryError> {
        Self::of(data, usize::MAX)
    }

    /// As [`report`](Self::report), of `most` pages at most, spread evenly over `data`.
    ///
    /// # Errors
    ///
    /// As [`report`](Self::report).
    pub fn sample<T>(data: &[T], most: usize) -> Result<Self, MemoryError> {
        Self::of(data, most)
    }

    fn of<T>(data: &[T], most: usize) -> Result<Self, MemoryError> {
        let page_size = pages::size();
        let mut this = Self { page_size, ..Self::default() };
        let bytes = size_of_val(data);
        if bytes == 0 || most == 0 {
            return Ok(this);
        }
        let start = data.as_ptr().cast::<u8>();
        let before = start as usize % page_size;
        let count = (before + bytes).div_ceil(page_size);
        let asked = most.min(count);
        // Page `i` of those that are asked about; a product of two page numbers fits.
        let nth = |i: usize| (i as u128 * count as u128 / asked as u128) as usize;
        let address = |page: usize| start.wrapping_sub(before).wrapping_add(page * page_size);
        let mut next = 0;
        while next < asked {
            let end = asked.min(next + AT_A_TIME);
            let addresses: Vec<*const u8> = (next..end).map(|i| address(nth(i))).collect();
            let found =
                mempolicy::pages_at(&addresses).map_err(|error| MemoryError::of("move_pages", &[], error))?;
            for page in found {
                match page {
                    Page::On(node) => *this.on.entry(node).or_default() += 1,
                    Page::Absent => this.absent += 1,
                    Page::Unknown => this.unknown += 1,
                }
            }
            next = end;
        }
        Ok(this)
    }

    /// How many pages lie on the node with this number of the kernel's.
    #[must_use]
    pub fn on(&self, os_id: usize) -> usize {
        self.on.get(&os_id).copied().unwrap_or(0)
    }

    /// The nodes that hold some, by the kernel's numbers, and how many pages, ascending by node.
    pub fn nodes(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.on.iter().map(|(&node, &pages)| (node, pages))
    }

    /// The node that holds most of them (the first, if tied), by the kernel's number; `None` if no page is anywhere.
    #[must_use]
    pub fn mostly_on(&self) -> Option<usize> {
        let most = self.on.values().max()?;
        self.nodes().find(|(_, pages)| pages == most).map(|(node, _)| node)
    }

    /// How many pages are nowhere yet: they were never written, or are swapped out. The kernel also says so of pages that
    /// its NUMA balancing watches just now (`/proc/sys/kernel/numa_balancing`).
    #[must_use]
    pub fn absent(&self) -> usize {
        self.absent
    }

    /// How many pages the kernel would not speak of: they were busy.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// All pages that were asked about.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.on.values().sum::<usize>() + self.absent + self.unknown
    }

    /// The size of a page, in bytes. Huge pages count as so many small ones.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.page_size
    }
}

/// `4 pages of 4096 bytes: 3 on node 0, 1 nowhere yet`.
impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pages of {} bytes", self.pages(), self.page_size)?;
        let on = self.nodes().map(|(node, pages)| (pages, format!("on node {node}")));
        let others = [(self.absent, "nowhere yet".to_owned()), (self.unknown, "unknown".to_owned())];
        let parts = on.chain(others).filter(|(pages, _)| *pages > 0);
        for (number, (pages, place)) in parts.enumerate() {
            write!(f, "{}{pages} {place}", if number == 0 { ": " } else { ", " })?;
        }
        Ok(())
    }
}

/// So many pages say where some data is.
const SAMPLE: usize = 16;

/// The node that holds most of `data`, by the kernel's number, judged by 16 pages at most; `None` if it is nowhere yet, or
/// cannot be found out. Takes about a microsecond.
///
/// # Examples
///
/// ```
/// let grains = vec![1_u8; 1 << 16];
/// if let Some(node) = gristmill::locality::node_of(&grains) {
///     println!("mostly on node {node}");
/// }
/// assert_eq!(gristmill::locality::node_of::<u8>(&[]), None);
/// ```
#[must_use]
pub fn node_of<T>(data: &[T]) -> Option<usize> {
    Placement::sample(data, SAMPLE).ok()?.mostly_on()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sys::pages::Pages;

    fn report<T>(data: &[T]) -> Option<Placement> {
        match Placement::report(data) {
            Ok(placement) => Some(placement),
            Err(error) => {
                assert!(error.is_unavailable(), "{error}");
                None
            }
        }
    }

    #[test]
    fn written_pages_are_somewhere_and_others_nowhere() {
        let size = pages::size();
        let mut fresh = Pages::map(8 * size, 1).unwrap();
        let data = fresh.bytes_mut();
        let Some(before) = report(data) else { return };
        assert_eq!((before.pages(), before.absent(), before.mostly_on()), (8, 8, None));
        assert_eq!(before.to_string(), format!("8 pages of {size} bytes: 8 nowhere yet"));
        assert_eq!(node_of(data), None);
        for page in [0, 3, 7] {
            data[page * size] = 1;
        }
        let after = report(data).unwrap();
        assert_eq!((after.pages(), after.absent(), after.unknown()), (8, 5, 0));
        assert_eq!(after.nodes().map(|(_, pages)| pages).sum::<usize>(), 3);
        let node = after.mostly_on().unwrap();
        assert!(after.on(node) >= 1 && after.on(node + 1_000) == 0);
        // Read alone, a page is the kernel's shared zeros.
        std::hint::black_box(data[size]);
        assert_eq!(report(data).unwrap().absent(), 5);
    }

    #[test]
    fn pages_at_the_ends_count_once_each() {
        let size = pages::size();
        let mut fresh = Pages::map(4 * size, 1).unwrap();
        let data = fresh.bytes_mut();
        let Some(all) = report(data) else { return };
        assert_eq!(all.pages(), 4);
        assert_eq!(report(&data[size - 1..size + 1]).unwrap().pages(), 2);
        assert_eq!(report(&data[size..2 * size]).unwrap().pages(), 1);
        assert_eq!(report(&data[..0]).unwrap().pages(), 0);
        assert_eq!(report(&[(); 5]).unwrap().pages(), 0);
    }

    #[test]
    fn a_sample_is_spread_evenly() {
        let size = pages::size();
        let mut fresh = Pages::map(10_000 * size, 1).unwrap();
        let data = fresh.bytes_mut();
        if report(&data[..1]).is_none() {
            return;
        }
        data[5_000 * size..].iter_mut().step_by(size).for_each(|byte| *byte = 1);
        for most in [1, 2, 10, 4_097, 10_000, usize::MAX] {
            let sample = Placement::sample(data, most).unwrap();
            let asked = most.min(10_000);
            assert_eq!((sample.pages(), sample.absent()), (asked, asked.div_ceil(2)), "{most}");
        }
        assert_eq!(Placement::sample(data, 0).unwrap().pages(), 0);
    }

    #[test]
    fn errors_say_what_was_wrong() {
        let denied = MemoryError::of("mbind", &[1], io::Error::from_raw_os_error(libc_code("EPERM")));
        assert!(denied.is_unavailable());
        assert!(denied.to_string().starts_with("mbind is not to be had here: "), "{denied}");
        let refused = MemoryError::of("mbind", &[1, 3], io::Error::from_raw_os_error(libc_code("EINVAL")));
        assert!(!refused.is_unavailable());
        assert!(
            refused.to_string().starts_with("mbind refused nodes [1, 3] (the kernel's numbers)"),
            "{refused}"
        );
        let none = MemoryError::NoSuchNode { node: 4, nodes: 4 };
        assert_eq!(none.to_string(), "there is no node 4 for memory: this machine has nodes 0 to 3");
    }

    /// Linux's numbers, which are the same on all its machines for these.
    fn libc_code(name: &str) -> i32 {
        if name == "EPERM" { 1 } else { 22 }
    }
}
