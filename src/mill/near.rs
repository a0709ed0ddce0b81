//! Work that goes to where its data is, and data that is made where the work will be.

#![allow(unsafe_code, reason = "elements of a vector are made by those who will work on them")]

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::locality::{self, MemoryError, NodeVec};
use crate::mill::error::Closed;
use crate::mill::injector::Priority;
use crate::mill::pool::Mill;
use crate::topology::Topology;

/// So many bytes of a new vector are made at a time.
const PIECE: usize = 1 << 20;

impl Mill {
    /// As [`spawn`](Self::spawn), on the NUMA node that has most of `data`, which is asked of the kernel now: by 16 pages
    /// at most, in about a microsecond. Its workers take the job unless they are busy and others are not. If the data is
    /// nowhere yet, or that cannot be found out, this is [`spawn`](Self::spawn).
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// In a forked child.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, mpsc};
    ///
    /// let mill = gristmill::Mill::builder().workers(2).build()?;
    /// let grains = Arc::new(vec![1_u64; 100_000]);
    /// let (send, receive) = mpsc::channel();
    /// let theirs = Arc::clone(&grains);
    /// mill.spawn_near(&grains, move || send.send(theirs.iter().sum::<u64>()).unwrap()).unwrap();
    /// assert_eq!(receive.recv(), Ok(100_000));
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    pub fn spawn_near<T, F>(&self, data: &[T], job: F) -> Result<(), Closed>
    where
        F: FnOnce() + Send + 'static,
    {
        self.hall().spawn(self.node_of(data), Priority::Normal, job)
    }

    /// The logical index of the node that has most of `data`, on this mill's map; `None` if it is nowhere yet, or cannot
    /// be found out, or if there is one node only, so that it does not matter.
    #[must_use]
    pub fn node_of<T>(&self, data: &[T]) -> Option<usize> {
        let nodes = self.topology().nodes();
        if nodes.len() == 1 {
            return None;
        }
        let os_id = locality::node_of(data)?;
        nodes.iter().position(|node| node.os_id == os_id)
    }

    /// The machine that it was planned for.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.hall().topology
    }

    /// A vector over the nodes that its workers sit on, each with a part in proportion to how many sit there. `make` makes
    /// the elements, given their positions; those of a part are made, so first touched, by workers of its node.
    ///
    /// The kernel is told as well where the pages are to be; where it takes no orders (see
    /// [`MemoryError::is_unavailable`]) they are where they were touched, which is on the node if workers are
    /// [pinned](crate::MillBuilder::places). Of huge pages, if the mill is [to ask for them](crate::MillBuilder::huge_pages).
    ///
    /// # Errors
    ///
    /// [`MemoryError::OutOfMemory`], and [`MemoryError::Refused`] if the mill's map is not that of the machine we run on.
    ///
    /// # Panics
    ///
    /// With the first panic of `make`; what was made is dropped. In a forked child.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::Mill;
    ///
    /// let mill = Mill::builder().workers(2).build().unwrap();
    /// let squares = mill.node_vec(10_000, |i| i * i)?;
    /// assert_eq!(squares[99], 9_801);
    /// # Ok::<(), gristmill::locality::MemoryError>(())
    /// ```
    pub fn node_vec<T, F>(&self, len: usize, make: F) -> Result<NodeVec<T>, MemoryError>
    where
        T: Send,
        F: Fn(usize) -> T + Sync,
    {
        let hall = self.hall();
        let nodes: Vec<usize> =
            hall.roster.read(|crowd| crowd.seats.iter().map(|seat| seat.node()).collect());
        let mut weights = vec![0; hall.topology.nodes().len()];
        nodes.iter().take(hall.workers()).for_each(|&node| weights[node] += 1);
        let huge = hall.settings.huge_pages;
        let (room, placed) = NodeVec::builder(&hall.topology).huge_pages(huge).room(len, &weights)?;
        match placed {
            Err(error) if !error.is_unavailable() => return Err(error),
            _ => {}
        }
        let step = (PIECE / size_of::<T>().max(1)).max(1);
        let next: Vec<AtomicUsize> =
            room.parts().iter().map(|part| AtomicUsize::new(part.elements.start)).collect();
        // All pieces of a part that nobody else takes.
        let make_part = |number: usize| {
            let end = room.parts()[number].elements.end;
            let mut made = Vec::new();
            loop {
                let claim = |start: usize| (start < end).then(|| end.min(start.saturating_add(step)));
                let Ok(start) = next[number].fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim) else {
                    return made;
                };
                let range = start..end.min(start.saturating_add(step));
                // SAFETY: the part's counter gives each range to one caller, and parts do not overlap.
                made.push(unsafe { room.make(range, &mut |at| make(at)) });
            }
        };
        let mut made = self.broadcast(|worker| {
            // One that came after we looked belongs nowhere: others do its work.
            let node = nodes.get(worker);
            let own = room.parts().iter().position(|part| Some(&part.node) == node);
            own.map_or_else(Vec::new, make_part)
        });
        // Parts of nodes that no worker came from.
        made.extend((0..room.parts().len()).map(make_part));
        let mut made: Vec<_> = made.into_iter().flatten().collect();
        made.sort_unstable_by_key(|run| run.start());
        Ok(room.filled(made))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_vector_is_made_by_its_workers() {
        for workers in [1, 2, 5] {
            let mill = Mill::builder().workers(workers).build().unwrap();
            for len in [0, 1, 1_000_000] {
                let numbers = mill.node_vec(len, |i| i as u32).unwrap();
                assert!(numbers.iter().copied().eq(0..len as u32));
            }
            assert_eq!(mill.node_vec(1 << 20, drop).unwrap().len(), 1 << 20, "without a size");
            mill.install(|| assert_eq!(mill.node_vec(3, |i| i).unwrap()[..], [0, 1, 2]));
        }
    }

    #[test]
    fn a_panic_while_it_is_made_drops_what_was() {
        let mill = Mill::builder().workers(3).build().unwrap();
        let counter = Arc::new(());
        for bad in [0, 399_999, 150_000] {
            let result = catch_unwind(AssertUnwindSafe(|| {
                mill.node_vec(400_000, |i| {
                    assert!(i != bad, "bad");
                    Arc::clone(&counter)
                })
            }));
            assert!(result.is_err());
            assert_eq!(Arc::strong_count(&counter), 1);
        }
    }

    #[test]
    fn a_map_of_another_machine_is_refused() {
        let machine = Topology::synthetic("node:40 core:1").unwrap();
        let mill = Mill::builder().workers(40).topology(machine).build().unwrap();
        match mill.node_vec(1_000_000, |i| i) {
            Err(error) => assert!(matches!(error, MemoryError::Refused { .. }), "{error}"),
            // Where policies are not to be had, nothing is asked.
            Ok(numbers) => assert_eq!(numbers[77], 77),
        }
    }

    #[test]
    fn a_job_near_nothing_runs_somewhere() {
        let machine = Topology::synthetic("node:2 core:2").unwrap();
        let mill = Mill::builder().workers(4).topology(machine).build().unwrap();
        assert_eq!(mill.node_of::<u8>(&[]), None);
        let ran = Arc::new(AtomicUsize::new(0));
        let data = vec![1_u8; 100_000];
        for data in [&data[..], &[]] {
            let ran = Arc::clone(&ran);
            let job = move || {
                ran.fetch_add(1, Ordering::Relaxed);
            };
            mill.spawn_near(data, job).unwrap();
        }
        mill.shutdown();
        assert_eq!(ran.load(Ordering::Relaxed), 2);
        assert_eq!(mill.spawn_near(&data, || {}), Err(Closed));
    }
}
