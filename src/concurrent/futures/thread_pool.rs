//! `ThreadPoolExecutor`: tasks on a mill of their own.

use std::fmt;
use std::ptr;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::concurrent::futures::executor::{ErasedExecutor, ExecutorBase, Shutdown, Submitter};
use crate::concurrent::futures::post::Post;
use crate::concurrent::futures::room::WhenFull;
use crate::concurrent::futures::scope::PoolScope;
use crate::concurrent::futures::task::Task;
use crate::contextvars::capture;
use crate::future::error::{SubmitError, TaskError};
use crate::future::handle::Future;
use crate::mill::cancel::CancelToken;
use crate::mill::error::Closed;
use crate::mill::injector::Priority;
use crate::mill::pool::Mill;
use crate::mill::scope;
use crate::mill::worker::Worker;
use crate::prim::atomic::Ordering;

/// Runs tasks in threads of its own, which are a [`Mill`]: tasks can use [`join`](crate::join), [`scope`](crate::scope) and
/// the loops, and wait for each other.
///
/// Submitting costs one allocation and, with idle threads that sleep, waking one. Tasks start in about the order of their
/// submission (see [`strict_fifo`](super::ThreadPoolBuilder::strict_fifo)), and one that somebody waits for at once.
///
/// Dropping the pool is [`shutdown`](Self::shutdown): it waits for all that was submitted, unless
/// [`shutdown_with`](Self::shutdown_with) was told before not to wait. To share it, put it in an [`Arc`]. The end of
/// `main` does not wait for a pool that has been leaked or not waited for.
///
/// # Examples
///
/// ```
/// use gristmill::concurrent::futures::{Executor, ThreadPoolExecutor};
///
/// let pool = ThreadPoolExecutor::builder().max_workers(4).thread_name_prefix("grind").build()?;
/// let future = pool.submit(|| std::thread::current().name().map(str::to_owned))?;
/// assert!(future.result()?.unwrap().starts_with("grind_"));
///
/// let doubled: Result<Vec<_>, _> = pool.map(|n| 2 * n, 1..=3).collect();
/// assert_eq!(doubled?, [2, 4, 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "concurrent.futures.ThreadPoolExecutor")]
#[doc(alias = "concurrent.futures.thread.ThreadPoolExecutor")]
pub struct ThreadPoolExecutor(Arc<Pool>);

struct Pool {
    mill: Mill,
    post: &'static Post,
    when_full: WhenFull,
}

impl Drop for Pool {
    fn drop(&mut self) {
        let hall = self.mill.hall();
        if !hall.is_same_process() {
            // A thread of the parent's may have held the post's locks when this child was forked.
            return;
        }
        self.post.close(false);
        if hall.detached.load(Ordering::Relaxed) {
            hall.close()
        } else {
            hall.shut_down()
        }
        self.post.retire();
    }
}

/// Where, how soon, and until when a task runs; see [`ThreadPoolExecutor::task`].
#[derive(Debug, Clone)]
#[must_use = "nothing is submitted before `submit`"]
pub struct TaskOptions<'a> {
    pool: &'a ThreadPoolExecutor,
    priority: Priority,
    node: Option<usize>,
    deadline: Option<Instant>,
}

impl ThreadPoolExecutor {
    pub(super) fn over(mill: Mill, post: &'static Post, when_full: WhenFull) -> Self {
        post.assign(mill.hall());
        ThreadPoolExecutor(Arc::new(Pool { mill, post, when_full }))
    }

    /// The mill that the pool's threads are: to [`resize`](Mill::resize) it, to see its [`stats`](Mill::stats), or to
    /// [`install`](Mill::install) a computation.
    #[must_use]
    pub fn mill(&self) -> &Mill {
        &self.0.mill
    }

    /// How many tasks run at a time, at most.
    #[must_use]
    pub fn max_workers(&self) -> usize {
        ExecutorBase::max_workers(self)
    }

    /// Takes no more tasks, and returns once all that was submitted is over; see [`ExecutorBase::shutdown_with`].
    pub fn shutdown(&self) {
        ExecutorBase::shutdown(self);
    }

    /// Takes no more tasks; see [`ExecutorBase::shutdown_with`].
    pub fn shutdown_with(&self, how: Shutdown) {
        ExecutorBase::shutdown_with(self, how);
    }

    /// Has `task` run; see [`Executor::submit`](super::Executor::submit), which this is.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn submit<F, R>(&self, task: F) -> Result<Future<R>, SubmitError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (task, future) = Task::new(task);
        self.0.hand_in(task, None, Priority::Normal, self.0.when_full)?;
        Ok(future)
    }

    /// As [`submit`](Self::submit), but it neither waits for room nor runs the task itself if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::{SubmitError, ThreadPoolExecutor};
    ///
    /// let pool = ThreadPoolExecutor::builder().max_workers(1).max_pending(1).build()?;
    /// let (go, come) = std::sync::mpsc::channel::<()>();
    /// let (started, start) = std::sync::mpsc::channel();
    /// let first = pool.try_submit(move || (started.send(()), come.recv()))?;
    /// start.recv()?;
    /// let second = pool.try_submit(|| ())?;
    /// assert!(matches!(pool.try_submit(|| ()), Err(SubmitError::Full)));
    /// drop(go);
    /// assert!(first.result().is_ok() && second.result().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), and [`SubmitError::Full`].
    pub fn try_submit<F, R>(&self, task: F) -> Result<Future<R>, SubmitError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.task().try_submit(task)
    }

    /// Has `task` run by the threads of the NUMA node with this logical index, unless they are busy and others are not.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Panics
    ///
    /// If the machine, as the pool knows it, has no such node.
    pub fn submit_on<F, R>(&self, node: usize, task: F) -> Result<Future<R>, SubmitError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.task().node(node).submit(task)
    }

    /// Has `task` run by the threads of the NUMA node that has most of `data`, as [`Mill::spawn_near`] finds it out, unless
    /// they are busy and others are not. If the data is nowhere yet, this is [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gristmill::concurrent::futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::builder().max_workers(2).build()?;
    /// let grains = Arc::new(vec![1_u64; 100_000]);
    /// let theirs = Arc::clone(&grains);
    /// let sum = pool.submit_near(&grains, move || theirs.iter().sum::<u64>())?;
    /// assert_eq!(sum.result()?, 100_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn submit_near<T, F, R>(&self, data: &[T], task: F) -> Result<Future<R>, SubmitError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let node = self.0.mill.node_of(data);
        TaskOptions { node, ..self.task() }.submit(task)
    }

    /// A task with more to say about it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use gristmill::Priority;
    /// use gristmill::concurrent::futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let soon = Instant::now() + Duration::from_secs(10);
    /// let answer = pool.task().priority(Priority::High).deadline(soon).submit(|| 6 * 7)?;
    /// assert_eq!(answer.result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn task(&self) -> TaskOptions<'_> {
        TaskOptions { pool: self, priority: Priority::Normal, node: None, deadline: None }
    }

    /// Runs `body`, which may submit tasks over data that it borrows, in this pool, and returns once all of those are over.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::concurrent::futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let text = String::from("to be or not to be");
    /// let (words, letters) = pool.scope(|scope| {
    ///     let words = scope.submit(|| text.split(' ').count());
    ///     let letters = scope.submit(|| text.bytes().filter(u8::is_ascii_alphabetic).count());
    ///     (words.result(), letters.result())
    /// })?;
    /// assert_eq!((words?, letters?), (6, 13));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubmitError::Shutdown`] if the pool has been shut down, [`SubmitError::Broken`] if it broke.
    ///
    /// # Panics
    ///
    /// With the panic of `body`, once all is over.
    pub fn scope<'scope, R, F>(&self, body: F) -> Result<R, SubmitError>
    where
        F: for<'a> FnOnce(PoolScope<'a, 'scope>) -> R + Send,
        R: Send,
    {
        self.0.post.check(self.0.mill.hall())?;
        let context = capture();
        let open = || context.run(|| scope::scope(|scope| body(PoolScope::new(scope))));
        self.0.mill.try_install(open).map_err(|Closed| SubmitError::Shutdown)
    }
}

impl TaskOptions<'_> {
    /// How urgent it is, against other tasks that wait.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Run by the threads of this NUMA node, unless they are busy and others are not.
    pub fn node(mut self, node: usize) -> Self {
        self.node = Some(node);
        self
    }

    /// A task that is not over by then ends with [`TaskError::Expired`]: it is not started any more, or, if it runs, it is
    /// cancelled where it splits or asks ([`CancelToken`]).
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Submits it; see [`Executor::submit`](super::Executor::submit).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// If there is no such [node](Self::node).
    pub fn submit<F, R>(self, task: F) -> Result<Future<R>, SubmitError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let when_full = self.pool.0.when_full;
        self.submit_when(when_full, task)
    }

    /// Submits it if there is room now; see [`ThreadPoolExecutor::try_submit`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As [`submit`](Self::submit).
    pub fn try_submit<F, R>(self, task: F) -> Result<Future<R>, SubmitError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.submit_when(WhenFull::Refuse, task)
    }

    fn submit_when<F, R>(self, when_full: WhenFull, task: F) -> Result<Future<R>, SubmitError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let pool = &self.pool.0;
        let nodes = pool.mill.hall().inboxes.len();
        if let Some(node) = self.node {
            assert!(
                node < nodes,
                "there is no node {node}: this pool's topology has nodes 0 to {}",
                nodes - 1
            );
        }
        let (task, future) = match self.deadline {
            None => Task::new(task),
            Some(deadline) => Task::failing(move || until(deadline, task)),
        };
        pool.hand_in(task, self.node, self.priority, when_full)?;
        Ok(future)
    }
}

/// Runs `task` until the deadline.
fn until<R>(deadline: Instant, task: impl FnOnce() -> R) -> Result<R, TaskError> {
    if Instant::now() >= deadline {
        return Err(TaskError::Expired);
    }
    let token = CancelToken::new().with_deadline(deadline);
    token
        .run(task)
        .map_err(|_| if Instant::now() >= deadline { TaskError::Expired } else { TaskError::Cancelled })
}

impl Pool {
    #[inline]
    fn hand_in(
        &self,
        task: Task,
        node: Option<usize>,
        priority: Priority,
        when_full: WhenFull,
    ) -> Result<(), SubmitError> {
        let (hall, post) = (&**self.mill.hall(), self.post);
        post.check(hall)?;
        if !post.room.try_enter() && !self.make_room(when_full)? {
            // Not ours, for it has no place in the room.
            task.run();
            return Ok(());
        }
        task.assign(post);
        if let (Some(worker), None) = (Worker::current(), node) {
            if ptr::eq(worker.hall, hall) {
                worker.push_loose(priority, task.into_job());
                return Ok(());
            }
        }
        let mut task = Some(task);
        let node = node.unwrap_or_else(|| hall.own_node());
        let handed = hall.hand_in(node, priority, || match task.take() {
            Some(task) => task.into_job(),
            None => unreachable!("asked once"),
        });
        if handed.is_err() {
            if let Some(task) = task {
                task.unassign(post);
            }
            return Err(SubmitError::Shutdown);
        }
        Ok(())
    }

    /// There is no room. True once a place has been taken; false if the caller is to run the task.
    #[cold]
    fn make_room(&self, when_full: WhenFull) -> Result<bool, SubmitError> {
        match when_full {
            WhenFull::Refuse => Err(SubmitError::Full),
            WhenFull::CallerRuns => Ok(false),
            // All others may be waiting for room as well, and who is to make it?
            WhenFull::Wait if self.is_last_thread() => Ok(false),
            WhenFull::Wait => {
                let own = self.own_worker().filter(Worker::is_deep);
                let _deep = own.as_ref().map(Worker::wait_deep);
                if self.post.room.enter(|| self.post.is_closed()) {
                    return Ok(true);
                }
                self.post.check(self.mill.hall())?;
                Err(SubmitError::Shutdown)
            }
        }
    }

    /// Does the caller work in this pool, of which no thread may be started any more to stand in for it?
    fn is_last_thread(&self) -> bool {
        self.own_worker().is_some_and(|worker| !worker.hall.may_grow() && !worker.is_deep())
    }

    /// The caller, if it works in this pool.
    fn own_worker(&self) -> Option<Worker<'_>> {
        let hall = &**self.mill.hall();
        Worker::current().filter(|worker| ptr::eq(worker.hall, hall))
    }
}

impl ExecutorBase for ThreadPoolExecutor {
    fn max_workers(&self) -> usize {
        self.0.mill.workers()
    }

    fn shutdown_with(&self, how: Shutdown) {
        let (hall, post) = (self.0.mill.hall(), self.0.post);
        if !hall.is_same_process() {
            // As in `drop`; nothing runs here that could be waited for.
            return hall.close();
        }
        post.close(how.cancel_futures);
        hall.close();
        if how.cancel_futures {
            #[allow(unsafe_code, reason = "jobs that were taken out of the queues")]
            // SAFETY: the jobs were stamped when they were queued.
            for job in hall.withdraw(|job| unsafe { Task::is_of(job, post) }) {
                // The post tells it to cancel itself.
                // SAFETY: taken out of the queue just now.
                unsafe { job.run() };
            }
        }
        hall.detached.store(!how.wait, Ordering::Relaxed);
        if how.wait {
            hall.shut_down();
        }
    }
}

impl ErasedExecutor for ThreadPoolExecutor {
    #[inline]
    fn execute(&self, task: Task) -> Result<(), SubmitError> {
        self.0.hand_in(task, None, Priority::Normal, self.0.when_full)
    }

    fn downgrade(&self) -> Submitter {
        let pool: Weak<Pool> = Arc::downgrade(&self.0);
        Submitter::new(move |task| {
            let pool = pool.upgrade().ok_or(SubmitError::Shutdown)?;
            pool.hand_in(task, None, Priority::Normal, pool.when_full)
        })
    }
}

impl fmt::Debug for ThreadPoolExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolExecutor").field("mill", &self.0.mill).finish_non_exhaustive()
    }
}
