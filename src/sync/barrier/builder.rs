//! Making a barrier.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::prim::atomic::{AtomicU32, AtomicU64};
use crate::sync::barrier::{Action, Barrier};
use crate::sync::scope::{Private, Scope, Shared};

impl Barrier {
    /// A barrier for so many parties, 1 to [`MAX_PARTIES`](Self::MAX_PARTIES), of this process, without an action and
    /// without a timeout.
    ///
    /// # Panics
    ///
    /// If it is for none, or for more.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// assert!(Barrier::new(1).wait().unwrap().is_leader());
    /// ```
    pub fn new(parties: u32) -> Self {
        Self::in_scope(parties)
    }

    /// A barrier with a default timeout, or an action.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// let barrier = Barrier::builder(1).action(|| println!("all are here")).build();
    /// assert!(barrier.wait().is_ok());
    /// ```
    pub fn builder(parties: u32) -> BarrierBuilder {
        BarrierBuilder::new(parties)
    }
}

impl Barrier<Shared> {
    /// A barrier for so many parties, in all processes that map the memory which it is put into, whose waits last
    /// `timeout` at most: a party that dies before it arrives is found by that alone. (`Duration::MAX` is for ever.)
    ///
    /// # Panics
    ///
    /// As [`new`](Barrier::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::Barrier;
    ///
    /// let barrier = Barrier::shared(2, Duration::from_millis(1)); // as a field of what a segment holds
    /// assert!(barrier.wait().is_err()); // the other does not come
    /// ```
    pub fn shared(parties: u32, timeout: Duration) -> Self {
        BarrierBuilder::new(parties).timeout(timeout).build()
    }
}

impl<S: Scope> Barrier<S> {
    /// A barrier without an action and without a timeout, for code that is generic over the scope. Others use
    /// [`new`](Barrier::new) or [`shared`](Barrier::shared).
    ///
    /// # Panics
    ///
    /// As [`new`](Barrier::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{Barrier, Scope};
    ///
    /// fn pair<S: Scope>() -> Barrier<S> {
    ///     Barrier::in_scope(2)
    /// }
    /// # pair::<gristmill::sync::Private>();
    /// ```
    pub fn in_scope(parties: u32) -> Self {
        BarrierBuilder::new(parties).build()
    }
}

/// Makes a [`Barrier`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gristmill::sync::Barrier;
///
/// let barrier = Barrier::builder(1)
///     .timeout(Duration::from_secs(5))
///     .action(|| println!("all are here"))
///     .build();
/// assert!(barrier.wait().is_ok());
/// ```
#[must_use = "call `build`"]
pub struct BarrierBuilder<S: Scope = Private> {
    parties: u32,
    timeout: Option<Duration>,
    action: Option<Box<Action>>,
    scope: PhantomData<S>,
}

impl<S: Scope> BarrierBuilder<S> {
    /// For so many parties, 1 to [`MAX_PARTIES`](Barrier::MAX_PARTIES). [`Barrier::builder`] is the same where the
    /// scope is [`Private`].
    ///
    /// # Panics
    ///
    /// If it is for none, or for more.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::{BarrierBuilder, Shared};
    ///
    /// let barrier = BarrierBuilder::<Shared>::new(2).build();
    /// assert_eq!(barrier.parties(), 2);
    /// ```
    pub fn new(parties: u32) -> Self {
        let most = Barrier::<S>::MAX_PARTIES;
        assert!((1..=most).contains(&parties), "a barrier is for 1 to {most} parties, not {parties}");
        BarrierBuilder { parties, timeout: None, action: None, scope: PhantomData }
    }

    /// How long [`Barrier::wait`] waits at most before it breaks the barrier. For ever, unless this says otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::sync::Barrier;
    ///
    /// let late = Barrier::builder(2).timeout(Duration::ZERO).build();
    /// assert!(late.wait().is_err());
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The barrier.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::sync::Barrier;
    ///
    /// assert_eq!(Barrier::builder(4).build().parties(), 4);
    /// ```
    pub fn build(self) -> Barrier<S> {
        let nanos = |timeout: Duration| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Barrier {
            state: AtomicU64::new(0),
            bell: AtomicU32::new(0),
            forgotten: AtomicU64::new(0),
            parties: self.parties,
            timeout: self.timeout.map_or(u64::MAX, nanos),
            action: self.action,
            scope: PhantomData,
        }
    }
}

impl BarrierBuilder<Private> {
    /// What the last to arrive runs in each round, after all have arrived and before they go.
    ///
    /// If it panics the barrier breaks, and the panic goes on in the thread that ran it. Who waits is not late while
    /// it runs: no timeout breaks the barrier then. It may call any method of the barrier but `wait`, which would
    /// wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// use std::sync::Arc;
    /// use gristmill::sync::Barrier;
    ///
    /// let rounds = Arc::new(AtomicU32::new(0));
    /// let count = Arc::clone(&rounds);
    /// let barrier = Barrier::builder(1).action(move || drop(count.fetch_add(1, Relaxed))).build();
    /// barrier.wait()?;
    /// barrier.wait()?;
    /// assert_eq!(rounds.load(Relaxed), 2);
    /// # Ok::<(), gristmill::sync::BrokenBarrier>(())
    /// ```
    pub fn action(mut self, action: impl Fn() + Send + Sync + 'static) -> Self {
        self.action = Some(Box::new(Box::new(action)));
        self
    }
}

impl<S: Scope> fmt::Debug for BarrierBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierBuilder")
            .field("parties", &self.parties)
            .field("timeout", &self.timeout)
            .field("action", &self.action.is_some())
            .finish_non_exhaustive()
    }
}
