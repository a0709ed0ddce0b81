//! Timers whose jobs a mill runs.

use crate::mill::pool::Mill;
use crate::sched::{Job, Spawn};

/// A [`TimerWheel`](crate::sched::TimerWheel) over a mill spawns its jobs there. Once the mill has been shut down they are
/// dropped when their time comes, and never run.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
/// use gristmill::{Mill, sched::TimerWheel};
///
/// let mill = Mill::builder().workers(2).build()?;
/// let timers = TimerWheel::new(mill.clone()).start()?;
/// let (send, receive) = channel();
/// timers.enter_after(Duration::from_millis(5), move || send.send(gristmill::worker_index()).unwrap())?;
/// assert!(receive.recv()?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Spawn for Mill {
    fn spawn(&self, job: Job) {
        let _dropped_if_closed = Mill::spawn(self, job);
    }
}
