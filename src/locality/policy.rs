//! From which nodes a thread's new memory comes.

use crate::locality::memory::MemoryError;
use crate::sys::mempolicy::{self, Kind, Policy};

/// From which nodes the pages come that a thread touches first.
///
/// Nodes have the kernel's numbers ([`Node::os_id`](crate::topology::Node::os_id)). What a policy decides is where a page
/// comes from when it is first touched; pages that are there stay where they are. `numactl` sets the same for a whole
/// program. For one array among others there is [`NodeVec`](super::NodeVec).
///
/// # Examples
///
/// Each worker of a mill takes memory from all nodes in turn:
///
/// ```
/// use gristmill::{Mill, locality::MemoryPolicy, topology::Topology};
///
/// let machine = Topology::detect();
/// let nodes = machine.nodes().iter().filter(|node| node.memory != Some(0)).map(|node| node.os_id);
/// match Mill::builder().workers(2).memory(MemoryPolicy::Interleave(nodes.collect())).build() {
///     Ok(mill) => assert_eq!(mill.workers(), 2),
///     Err(error) => println!("{error}"), // where a container's filter denies it
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MemoryPolicy {
    /// From the node that the thread runs on, and from others when that is full.
    #[default]
    Local,
    /// From this node, and from others when it is full.
    Prefer(usize),
    /// From these nodes alone. A process that wants more than they have may be ended by the kernel.
    Bind(Vec<usize>),
    /// From each of these nodes in turn.
    Interleave(Vec<usize>),
}

impl MemoryPolicy {
    /// Takes it up: it holds for the calling thread from now on, and for threads that it starts.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoNodes`] for none; [`MemoryError::Refused`] when the kernel does not take one of the nodes, as one
    /// that is not there or has no memory; [`MemoryError::Unavailable`] where the kernel has no memory policies or they
    /// are denied. Then the one before still holds.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::locality::MemoryPolicy;
    ///
    /// # std::thread::spawn(|| {
    /// match MemoryPolicy::Bind(vec![0]).take_up() {
    ///     Ok(()) => assert_eq!(MemoryPolicy::current().unwrap(), MemoryPolicy::Bind(vec![0])),
    ///     Err(error) => assert!(error.is_unavailable(), "{error}"),
    /// }
    /// # }).join().unwrap();
    /// ```
    #[doc(alias = "set_mempolicy")]
    pub fn take_up(&self) -> Result<(), MemoryError> {
        let (policy, nodes) = match self {
            Self::Local => (Policy::Default, &[][..]),
            Self::Prefer(node) => (Policy::Preferred(*node), std::slice::from_ref(node)),
            Self::Bind(nodes) => (Policy::Bind(nodes), &nodes[..]),
            Self::Interleave(nodes) => (Policy::Interleave(nodes), &nodes[..]),
        };
        if nodes.is_empty() && *self != Self::Local {
            return Err(MemoryError::NoNodes);
        }
        mempolicy::set_for_thread(policy).map_err(|error| MemoryError::of("set_mempolicy", nodes, error))
    }

    /// The one that holds for the calling thread. A policy that this type has no name for is given as the one of these
    /// that is nearest: [`Prefer`](Self::Prefer) for the first of several nodes that are preferred.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Unavailable`], [`MemoryError::Refused`]: what `get_mempolicy` answers.
    #[doc(alias = "get_mempolicy")]
    pub fn current() -> Result<Self, MemoryError> {
        let now = mempolicy::of_thread().map_err(|error| MemoryError::of("get_mempolicy", &[], error))?;
        Ok(match (now.kind, now.nodes.first()) {
            (Kind::Bind, Some(_)) => Self::Bind(now.nodes),
            (Kind::Interleave, Some(_)) => Self::Interleave(now.nodes),
            (Kind::Preferred, Some(&node)) => Self::Prefer(node),
            _ => Self::Local,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_holds_until_the_next_and_a_bad_one_changes_nothing() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                if let Err(error) = MemoryPolicy::Local.take_up() {
                    return assert!(error.is_unavailable(), "{error}");
                }
                for policy in [
                    MemoryPolicy::Bind(vec![0]),
                    MemoryPolicy::Interleave(vec![0]),
                    MemoryPolicy::Prefer(0),
                    MemoryPolicy::Local,
                ] {
                    policy.take_up().unwrap();
                    for bad in [
                        MemoryPolicy::Bind(vec![]),
                        MemoryPolicy::Interleave(vec![]),
                        MemoryPolicy::Bind(vec![1_023]),
                        MemoryPolicy::Prefer(5_000),
                    ] {
                        assert!(!bad.take_up().unwrap_err().is_unavailable());
                        assert_eq!(MemoryPolicy::current().unwrap(), policy);
                    }
                }
                let error = MemoryPolicy::Bind(vec![1_023]).take_up().unwrap_err();
                assert!(error.to_string().starts_with("set_mempolicy refused nodes [1023]"), "{error}");
            });
        });
    }
}
