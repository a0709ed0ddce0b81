//! Objects of which each thread sees its own value.
//!
//! The values are in [`Slots`] of the object. Each thread has a map from the object's number to its slot there; of
//! objects that are gone it finds out when the map has grown. When the thread ends it leaves its slots.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::ManuallyDrop;
use std::rc::Rc;

use crate::thread::life;
use crate::threading::slots::{Mine, Slots};

/// A value of which each thread has its own, in an object that can be made, shared and dropped like any other.
///
/// `std::thread_local!` is for statics. This is for the fields of a struct. A thread's value is made when it first
/// asks for it, and dropped when the thread ends (before those who [join](super::Thread::join) it go on, if it is one
/// of this module's), or with the object, on whatever thread that is, whichever is first.
///
/// Python's `threading.local` is a bag of attributes; that is `Local<HashMap<String, V>>`, or better a struct of what
/// is in it. Its subclasses run `__init__` on each thread: [`new`](Self::new) takes what does. Their class attributes
/// are [defaults](Self::with_default), and `__slots__`, which threads share, are fields beside the `Local`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use gristmill::threading::{Local, spawn};
///
/// struct Mill { sacks: Local<u32> }
///
/// let mill = Arc::new(Mill { sacks: Local::new(|| 0) });
/// mill.sacks.with_mut(|sacks| *sacks += 1);
/// let theirs = spawn({
///     let mill = Arc::clone(&mill);
///     move || mill.sacks.with_mut(|sacks| { *sacks += 10; *sacks })
/// })?;
/// assert_eq!(theirs.join().unwrap(), 10);
/// assert_eq!(mill.sacks.get(), Some(1));
/// # Ok::<(), gristmill::threading::StartError>(())
/// ```
#[doc(alias("threading.local", "_thread._local"))]
pub struct Local<T: Send + 'static> {
    slots: Slots<T>,
    init: Option<Box<dyn Fn() -> T + Send + Sync>>,
}

/// Why a thread cannot have its value of a [`Local`].
///
/// # Examples
///
/// See [`Local::unset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[doc(alias("AttributeError"))]
pub enum LocalError {
    /// It has none, and the object does not make any. Set one first.
    #[error("this thread has set no value here")]
    Unset,
    /// It is in use further up on the same thread: being looked at while it should be changed, being changed, or being
    /// made.
    #[error("this thread's value is in use further up its stack")]
    InUse,
}

/// What the thread's map holds: a `Mine<T>`.
trait Entry {
    fn as_any(&self) -> &dyn Any;
    fn leave(&self);
    fn is_stale(&self) -> bool;
}

impl<T: Send + 'static> Entry for Mine<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn leave(&self) {
        Mine::leave(self);
    }

    fn is_stale(&self) -> bool {
        Mine::is_stale(self)
    }
}

/// Spreads consecutive numbers.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Entries = HashMap<u64, Rc<dyn Entry>, BuildHasherDefault<Spread>>;

thread_local! {
    /// Never dropped by the thread-local itself, so that it can be used until the very end: `leave_all` does.
    static ENTRIES: RefCell<ManuallyDrop<Entries>> =
        const { RefCell::new(ManuallyDrop::new(HashMap::with_hasher(BuildHasherDefault::new()))) };
    /// `leave_all` will be called.
    static ARMED: Cell<bool> = const { Cell::new(false) };
    /// How many entries the map may have before those of objects that are gone are looked for.
    static MANY: Cell<usize> = const { Cell::new(MANY_AT_FIRST) };
}

const MANY_AT_FIRST: usize = 32;

/// How often values that dropping others made are dropped, too, at the end of a thread. What is made after that is
/// dropped with its object.
const ROUNDS: usize = 8;

fn leave_all() {
    for _ in 0..ROUNDS {
        let entries = ENTRIES.with_borrow_mut(|entries| std::mem::take(&mut **entries));
        if entries.is_empty() {
            break;
        }
        entries.values().for_each(|entry| entry.leave());
    }
    ARMED.set(false);
}

impl<T: Send + 'static> Local<T> {
    fn with_init(init: Option<Box<dyn Fn() -> T + Send + Sync>>) -> Self {
        Local { slots: Slots::new(), init }
    }

    /// Values that `init` makes, on each thread when that first asks.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::{thread::get_ident, threading::{Local, spawn}};
    ///
    /// let local = std::sync::Arc::new(Local::new(get_ident));
    /// let theirs = spawn({ let local = local.clone(); move || local.get() })?.join().unwrap();
    /// assert_ne!(local.get(), theirs);
    /// # Ok::<(), gristmill::threading::StartError>(())
    /// ```
    #[must_use]
    pub fn new<F: Fn() -> T + Send + Sync + 'static>(init: F) -> Self {
        Self::with_init(Some(Box::new(init)))
    }

    /// No values until threads set them.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{Local, LocalError};
    ///
    /// let local = Local::unset();
    /// assert_eq!(local.try_with(|sacks: &u32| *sacks), Err(LocalError::Unset));
    /// local.set(3);
    /// assert_eq!(local.get(), Some(3));
    /// ```
    #[must_use]
    pub fn unset() -> Self {
        Self::with_init(None)
    }

    /// Clones of `default`, until threads set other values, and again once they [`take`](Self::take) those away.
    ///
    /// # Examples
    ///
    /// ```
    /// let local = gristmill::threading::Local::with_default(7);
    /// local.set(8);
    /// assert_eq!(local.take(), Some(8));
    /// assert_eq!(local.get(), Some(7));
    /// ```
    #[must_use]
    pub fn with_default(default: T) -> Self
    where
        T: Clone + Sync,
    {
        Self::new(move || default.clone())
    }

    /// The calling thread's slot.
    fn entry(&self) -> Rc<dyn Entry> {
        let known = ENTRIES.with_borrow(|entries| entries.get(&self.slots.number()).cloned());
        known.unwrap_or_else(|| self.first_asked())
    }

    #[cold]
    fn first_asked(&self) -> Rc<dyn Entry> {
        if !ARMED.get() {
            ARMED.set(life::at_end(leave_all));
        }
        let entry: Rc<dyn Entry> = Rc::new(self.slots.take());
        ENTRIES.with_borrow_mut(|entries| {
            if entries.len() >= MANY.get() {
                // No value is dropped by this: those of objects that are gone went with them.
                entries.retain(|_, entry| !entry.is_stale());
                MANY.set(MANY_AT_FIRST.max(2 * entries.len()));
            }
            entries.insert(self.slots.number(), Rc::clone(&entry));
        });
        entry
    }

    fn mine(entry: &dyn Entry) -> &Mine<T> {
        let mine = entry.as_any().downcast_ref();
        mine.unwrap_or_else(|| unreachable!("an object's number belongs to one type"))
    }

    /// Makes the calling thread's value if it has none.
    fn prepare(&self, mine: &Mine<T>) -> Result<(), LocalError> {
        let is_set = self.slots.borrow(mine).map_err(|_| LocalError::InUse)?.value().is_some();
        if !is_set {
            // Lent while it is being made: an `init` that asks for what it is making is told so.
            let mut lent = self.slots.borrow_mut(mine).map_err(|_| LocalError::InUse)?;
            let made = self.init.as_ref().ok_or(LocalError::Unset)?();
            *lent.value() = Some(made);
        }
        Ok(())
    }

    /// Shows `f` the calling thread's value, which is made if it has none.
    ///
    /// # Errors
    ///
    /// [`LocalError`] if it has none and none can be made, or if it is in use further up the stack.
    ///
    /// # Examples
    ///
    /// See [`unset`](Self::unset).
    pub fn try_with<R>(&self, f: impl FnOnce(&T) -> R) -> Result<R, LocalError> {
        let entry = self.entry();
        let mine = Self::mine(&*entry);
        self.prepare(mine)?;
        let lent = self.slots.borrow(mine).map_err(|_| LocalError::InUse)?;
        lent.value().map(f).ok_or(LocalError::Unset)
    }

    /// As [`try_with`](Self::try_with), to change it.
    ///
    /// # Errors
    ///
    /// As for [`try_with`](Self::try_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::threading::{Local, LocalError};
    ///
    /// let local = Local::new(|| 0);
    /// let inner = local.with(|_| local.try_with_mut(|sacks| *sacks += 1));
    /// assert_eq!(inner, Err(LocalError::InUse)); // it is being looked at
    /// assert_eq!(local.try_with_mut(|sacks| { *sacks += 1; *sacks }), Ok(1));
    /// ```
    pub fn try_with_mut<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LocalError> {
        let entry = self.entry();
        let mine = Self::mine(&*entry);
        self.prepare(mine)?;
        let mut lent = self.slots.borrow_mut(mine).map_err(|_| LocalError::InUse)?;
        lent.value().as_mut().map(f).ok_or(LocalError::Unset)
    }

    /// Shows `f` the calling thread's value, which is made if it has none.
    ///
    /// # Panics
    ///
    /// Where [`try_with`](Self::try_with) has an error. With the panics of `f` and of what makes values.
    ///
    /// # Examples
    ///
    /// ```
    /// let local = gristmill::threading::Local::new(|| vec![1, 2]);
    /// assert_eq!(local.with(|numbers| numbers.len()), 2);
    /// ```
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        self.try_with(f).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`with`](Self::with), to change it.
    ///
    /// # Panics
    ///
    /// As [`with`](Self::with).
    ///
    /// # Examples
    ///
    /// ```
    /// let local = gristmill::threading::Local::new(Vec::new);
    /// local.with_mut(|numbers| numbers.push(7));
    /// assert_eq!(local.get(), Some(vec![7]));
    /// ```
    #[track_caller]
    pub fn with_mut<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.try_with_mut(f).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A clone of the calling thread's value, which is made if it can be; else `None`.
    ///
    /// # Panics
    ///
    /// If the value is being changed further up the stack.
    ///
    /// # Examples
    ///
    /// See [`unset`](Self::unset).
    #[must_use]
    #[track_caller]
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        match self.try_with(T::clone) {
            Ok(value) => Some(value),
            Err(LocalError::Unset) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Has the calling thread a value? None is made.
    ///
    /// # Panics
    ///
    /// If the value is being changed further up the stack.
    ///
    /// # Examples
    ///
    /// ```
    /// let local = gristmill::threading::Local::with_default(7);
    /// assert!(!local.is_set());
    /// assert_eq!(local.get(), Some(7));
    /// assert!(local.is_set());
    /// ```
    #[must_use]
    #[track_caller]
    pub fn is_set(&self) -> bool {
        let entry = self.entry();
        let lent = self.slots.borrow(Self::mine(&*entry));
        lent.unwrap_or_else(|_| panic!("{}", LocalError::InUse)).value().is_some()
    }

    /// Gives the calling thread another value, and drops the old one.
    ///
    /// # Panics
    ///
    /// If the value is in use further up the stack.
    ///
    /// # Examples
    ///
    /// See [`unset`](Self::unset).
    #[track_caller]
    pub fn set(&self, value: T) {
        drop(self.replace(Some(value)));
    }

    /// Takes the calling thread's value away. The next to ask finds a new one made, or none.
    ///
    /// # Panics
    ///
    /// If the value is in use further up the stack.
    ///
    /// # Examples
    ///
    /// See [`with_default`](Self::with_default).
    #[track_caller]
    pub fn take(&self) -> Option<T> {
        self.replace(None)
    }

    #[track_caller]
    fn replace(&self, value: Option<T>) -> Option<T> {
        let entry = self.entry();
        let lent = self.slots.borrow_mut(Self::mine(&*entry));
        let mut lent = lent.unwrap_or_else(|_| panic!("{}", LocalError::InUse));
        std::mem::replace(lent.value(), value)
    }
}

impl<T: Send + fmt::Debug + 'static> fmt::Debug for Local<T> {
    /// Shows the calling thread's value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.entry();
        match self.slots.borrow(Self::mine(&*entry)) {
            Ok(lent) => f.debug_tuple("Local").field(&lent.value()).finish(),
            Err(_) => f.debug_tuple("Local").field(&LocalError::InUse).finish(),
        }
    }
}
