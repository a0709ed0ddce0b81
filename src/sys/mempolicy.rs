//! On which NUMA nodes memory is to lie, and on which it does.
//!
//! Nodes have the kernel's numbers here. A kernel without NUMA lacks these calls (`ENOSYS`), and the usual filters of
//! containers deny them (`EPERM`): both are answers like any other, and [`is_unavailable`] tells them from the rest.
//!
//! Source: `mbind(2)`, `set_mempolicy(2)`, `get_mempolicy(2)`, `move_pages(2)`.

#![allow(unsafe_code, reason = "system calls without wrappers")]

use std::ffi::{c_int, c_long, c_ulong, c_void};
use std::io;
use std::ptr;

/// Where new pages are to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy<'a> {
    /// From the node that the thread runs on which touches them first; for a range of memory: as its thread has it.
    Default,
    /// From this node, and from others when it is full.
    Preferred(usize),
    /// From these nodes, and from no others.
    Bind(&'a [usize]),
    /// From each of these nodes in turn.
    Interleave(&'a [usize]),
}

/// What kind of policy is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Local,
    Preferred,
    Bind,
    Interleave,
}

/// What the kernel has in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    pub(crate) kind: Kind,
    /// Its nodes, ascending.
    pub(crate) nodes: Vec<usize>,
}

// From the kernel's `linux/mempolicy.h`; `libc` has only some of it.
const MF_MOVE: c_int = 1 << 1;
const PREFERRED_MANY: c_int = 5;

/// The most nodes that Linux can be built for.
const MAX_NODES: usize = 1024;
const WORD: usize = c_ulong::BITS as usize;

/// A set of nodes as the kernel takes it.
type Mask = [c_ulong; MAX_NODES / WORD];

impl Policy<'_> {
    fn mode(self) -> c_int {
        match self {
            Policy::Default => libc::MPOL_DEFAULT,
            Policy::Preferred(_) => libc::MPOL_PREFERRED,
            Policy::Bind(_) => libc::MPOL_BIND,
            Policy::Interleave(_) => libc::MPOL_INTERLEAVE,
        }
    }

    fn mask(self) -> io::Result<Mask> {
        let one;
        let nodes = match self {
            Policy::Default => &[],
            Policy::Preferred(node) => {
                one = [node];
                &one[..]
            }
            Policy::Bind([]) | Policy::Interleave([]) => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty set of nodes for memory"));
            }
            Policy::Bind(nodes) | Policy::Interleave(nodes) => nodes,
        };
        let mut mask: Mask = [0; MAX_NODES / WORD];
        for &node in nodes {
            let Some(word) = mask.get_mut(node / WORD) else {
                let what =
                    format!("no machine has a node {node}: Linux can be built for {MAX_NODES} at most");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            };
            *word |= 1 << (node % WORD);
        }
        Ok(mask)
    }
}

/// The length of a mask, as the kernel wants to be told: it takes one off.
const MASK_BITS: c_ulong = MAX_NODES as c_ulong + 1;

fn answer(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// From now on new pages of this range come from where `policy` says. With `moving`, pages that are there already and
/// that nobody else maps go there too. Sets nothing if any node has no memory.
///
/// # Errors
///
/// `InvalidInput` (`EINVAL`) for a node that is not there or has no memory; whatever else `mbind` answers.
pub(crate) fn bind(range: *mut [u8], policy: Policy<'_>, moving: bool) -> io::Result<()> {
    let mask = policy.mask()?;
    let (nodes, bits) = if policy == Policy::Default { (ptr::null(), 0) } else { (mask.as_ptr(), MASK_BITS) };
    let flags = if moving { MF_MOVE } else { 0 };
    // SAFETY: the kernel reads the mask, which is as long as it is told, and changes where pages lie, never what is in
    // them; of addresses that are not ours it says so.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mbind,
            range.cast::<c_void>(),
            range.len() as c_ulong,
            policy.mode(),
            nodes,
            bits,
            flags,
        )
    };
    answer(result).map(drop)
}

/// From now on new pages of the calling thread come from where `policy` says, but for ranges that have one of their own.
///
/// # Errors
///
/// As [`bind`].
pub(crate) fn set_for_thread(policy: Policy<'_>) -> io::Result<()> {
    let mask = policy.mask()?;
    let (nodes, bits) = if policy == Policy::Default { (ptr::null(), 0) } else { (mask.as_ptr(), MASK_BITS) };
    // SAFETY: the kernel reads the mask, which is as long as it is told.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, policy.mode(), nodes, bits) };
    answer(result).map(drop)
}

/// The policy of the calling thread.
///
/// # Errors
///
/// Whatever `get_mempolicy` answers.
pub(crate) fn of_thread() -> io::Result<InForce> {
    let (mut mode, mut mask): (c_int, Mask) = (0, [0; MAX_NODES / WORD]);
    // SAFETY: the kernel writes an integer, and no more of the mask than it is told there is.
    let result = unsafe {
        libc::syscall(
            libc::SYS_get_mempolicy,
            &raw mut mode,
            mask.as_mut_ptr(),
            MAX_NODES as c_ulong,
            ptr::null::<u8>(),
            0,
        )
    };
    answer(result)?;
    let is_set = |node: &usize| mask[node / WORD] >> (node % WORD) & 1 == 1;
    let flags = libc::MPOL_F_STATIC_NODES | libc::MPOL_F_RELATIVE_NODES | libc::MPOL_F_NUMA_BALANCING;
    let kind = match mode & !flags {
        libc::MPOL_BIND => Kind::Bind,
        libc::MPOL_INTERLEAVE => Kind::Interleave,
        libc::MPOL_PREFERRED | PREFERRED_MANY => Kind::Preferred,
        _ => Kind::Local,
    };
    Ok(InForce { kind, nodes: (0..MAX_NODES).filter(is_set).collect() })
}

/// Where a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// On this node.
    On(usize),
    /// Nowhere yet: it was not touched, or only read, or is swapped out.
    Absent,
    /// The kernel does not say: busy, or not a page of memory.
    Unknown,
}

/// Where the pages at these addresses lie; looks, and moves nothing.
///
/// # Errors
///
/// Whatever `move_pages` answers.
pub(crate) fn pages_at(addresses: &[*const u8]) -> io::Result<Vec<Page>> {
    let mut status: Vec<c_int> = vec![0; addresses.len()];
    // SAFETY: the kernel reads as many addresses and writes as many numbers as it is told; no nodes: nothing moves.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_pages,
            0,
            addresses.len() as c_ulong,
            addresses.as_ptr(),
            ptr::null::<c_int>(),
            status.as_mut_ptr(),
            0,
        )
    };
    answer(result)?;
    let page = |status: c_int| match status {
        node if node >= 0 => Page::On(node as usize),
        // `EFAULT` is what the shared page of zeros gives, which stands for memory that was only read.
        status if status == -libc::ENOENT || status == -libc::EFAULT => Page::Absent,
        _ => Page::Unknown,
    };
    Ok(status.into_iter().map(page).collect())
}

/// Does this kernel lack memory policies, or something deny them to us?
pub(crate) fn is_unavailable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EACCES))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// What a kernel or a container without these calls answers is fine; anything else is a failure.
    fn available<T>(result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) if is_unavailable(&error) => None,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_thread_has_the_policy_that_it_was_given() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let Some(before) = available(of_thread()) else { return };
                assert_eq!(before, InForce { kind: Kind::Local, nodes: vec![] });
                for (policy, kind) in [
                    (Policy::Bind(&[0]), Kind::Bind),
                    (Policy::Interleave(&[0]), Kind::Interleave),
                    (Policy::Preferred(0), Kind::Preferred),
                ] {
                    available(set_for_thread(policy));
                    assert_eq!(of_thread().unwrap(), InForce { kind, nodes: vec![0] });
                }
                available(set_for_thread(Policy::Default));
                assert_eq!(of_thread().unwrap(), before);
            });
        });
    }

    #[test]
    fn nodes_that_are_not_there_are_errors_and_change_nothing() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                if available(of_thread()).is_none() {
                    return;
                }
                for policy in [
                    Policy::Bind(&[]),
                    Policy::Interleave(&[]),
                    Policy::Bind(&[1_023]),
                    Policy::Preferred(1_024),
                    Policy::Interleave(&[usize::MAX]),
                ] {
                    let error = set_for_thread(policy).unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{policy:?}: {error}");
                    assert!(!is_unavailable(&error));
                }
                assert_eq!(of_thread().unwrap().kind, Kind::Local);
            });
        });
    }

    #[test]
    fn what_a_filter_denies_is_told_from_what_is_wrong() {
        for (code, unavailable) in
            [(libc::ENOSYS, true), (libc::EPERM, true), (libc::EINVAL, false), (libc::ENOMEM, false)]
        {
            assert_eq!(is_unavailable(&io::Error::from_raw_os_error(code)), unavailable);
        }
    }
}
