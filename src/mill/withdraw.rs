//! Taking back what was spawned and has not started.

use std::iter::from_fn;

use crate::mill::hall::Hall;
use crate::mill::injector::Priority;
use crate::mill::job::JobRef;
use crate::prim::atomic::Ordering;
use crate::prim::fence_after_update;

impl Hall {
    /// Takes all spawned jobs that nobody has started and that are `wanted` out of the queues. Others stay on their node and
    /// keep their priority, but a mill with one line for all may start some that came later before them. Some may be on their
    /// way from one queue to another meanwhile, and are missed.
    pub(crate) fn withdraw(&self, wanted: impl Fn(JobRef) -> bool) -> Vec<JobRef> {
        // ORDERING(entering): who sees us waits for the jobs that we give back. What is taken is the caller's, also if the mill
        // ends meanwhile.
        self.entering.fetch_add(1, Ordering::SeqCst);
        fence_after_update();
        let mut taken = Vec::new();
        let mut sort = |node: usize, priority, queue: &dyn Fn() -> Option<JobRef>| {
            let (wanted, others): (Vec<_>, Vec<_>) = from_fn(queue).partition(|&job| wanted(job));
            taken.extend(wanted);
            others.into_iter().for_each(|job| self.inboxes[node].push(priority, job));
        };
        // Jobs of a worker's own first: they go into an inbox, behind what is in there.
        self.roster.read(|crowd| {
            for seat in &crowd.seats {
                let Some(loose) = seat.loose_if_any() else { continue };
                let node = if self.settings.strict_fifo { 0 } else { seat.node() };
                sort(node, Priority::Normal, &|| loose.thief.steal().job());
            }
        });
        for (node, bands) in self.inboxes.iter().enumerate() {
            for priority in [Priority::High, Priority::Normal, Priority::Low] {
                sort(node, priority, &|| bands.take(priority));
            }
        }
        self.call_if_work(None);
        self.entering.fetch_sub(1, Ordering::SeqCst);
        taken
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::mill::pool::Mill;
    use crate::mill::spawn::spawn;
    use crate::topology::Topology;

    #[test]
    fn others_stay_on_their_node_and_keep_their_priority() {
        let machine = Topology::synthetic("node:2 core:1").unwrap();
        let mill = Mill::builder().workers(2).topology(machine).caller_runs(false).build().unwrap();
        let hall = Arc::clone(mill.hall());
        let ran = Arc::new(());
        let count = |ran: &Arc<()>| {
            let ran = Arc::clone(ran);
            move || drop(ran)
        };
        // Both workers are busy, and then have a job of their own.
        let (started, start) = channel();
        let holds = [0, 1].map(|_| {
            let (go, wait) = channel::<()>();
            let (started, own) = (started.clone(), count(&ran));
            let hold = move || {
                started.send(()).unwrap();
                wait.recv().unwrap();
                spawn(own);
                started.send(()).unwrap();
                let _ = wait.recv();
            };
            mill.spawn(hold).unwrap();
            start.recv().unwrap();
            go
        });
        holds.iter().for_each(|go| go.send(()).unwrap());
        holds.iter().for_each(|_| start.recv().unwrap());
        let take_all =
            |node: usize, priority| from_fn(|| hall.inboxes[node].take(priority)).collect::<Vec<_>>();
        let bands = [Priority::High, Priority::Normal, Priority::Low]
            .into_iter()
            .flat_map(|priority| [(0, priority), (1, priority)]);
        let mut before = Vec::new();
        for (node, priority) in bands.clone() {
            (0..4).for_each(|_| hall.spawn(Some(node), priority, count(&ran)).unwrap());
            let jobs = take_all(node, priority);
            assert_eq!(jobs.len(), 4);
            jobs.iter().for_each(|&job| hall.inboxes[node].push(priority, job));
            before.push(jobs);
        }
        let withdrawn = hall.withdraw(|job| before.iter().any(|jobs| jobs[1] == job));
        assert_eq!(withdrawn.len(), 6);
        for ((node, priority), jobs) in bands.zip(&before) {
            let mut left = take_all(node, priority);
            assert_eq!(left[..3], [jobs[0], jobs[2], jobs[3]], "{priority:?} on node {node}");
            assert_eq!(left.len(), if priority == Priority::Normal { 4 } else { 3 }, "with a worker's own");
            left.push(jobs[1]);
            left.into_iter().for_each(|job| hall.inboxes[node].push(priority, job));
        }
        drop(holds);
        mill.shutdown();
        assert_eq!(Arc::strong_count(&ran), 1, "all of them ran");
    }
}
