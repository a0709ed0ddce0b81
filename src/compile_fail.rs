//! What must not compile, each with the compiler's code for why. `Send`, `Sync` and lifetimes are promises of
//! this crate like any other, and these are their tests.
//!
//! Beside each stands its twin that does compile, so that none fails for another reason than the one it
//! names.

/// Both closures of a `join` may go to another thread.
///
/// ```compile_fail,E0277
/// let count = std::rc::Rc::new(1);
/// gristmill::join(|| println!("{count}"), || ());
/// ```
///
/// ```compile_fail,E0277
/// let count = std::rc::Rc::new(1);
/// gristmill::join(|| (), || println!("{count}"));
/// ```
///
/// ```
/// let count = std::sync::Arc::new(1);
/// gristmill::join(|| println!("{count}"), || println!("{count}"));
/// ```
struct JoinTakesClosuresThatAreSend;

/// And so may what they return.
///
/// ```compile_fail,E0277
/// gristmill::join(|| (), || std::rc::Rc::new(1));
/// ```
///
/// ```
/// gristmill::join(|| (), || std::sync::Arc::new(1));
/// ```
struct JoinReturnsWhatIsSend;

/// Two closures that may run at the same time do not share a `Cell`, or a mutable borrow.
///
/// ```compile_fail,E0277
/// let count = std::cell::Cell::new(0);
/// gristmill::join(|| count.set(1), || count.set(2));
/// ```
///
/// ```compile_fail,E0499
/// let mut count = 0;
/// gristmill::join(|| count += 1, || count += 2);
/// ```
///
/// ```
/// let count = std::sync::atomic::AtomicU32::new(0);
/// let add = |n| drop(count.fetch_add(n, std::sync::atomic::Ordering::Relaxed));
/// gristmill::join(|| add(1), || add(2));
/// assert_eq!(count.into_inner(), 3);
/// ```
struct JoinSharesWhatIsSync;

/// A job of a scope may not borrow what the scope's body owns: the body is over before its jobs are.
///
/// ```compile_fail,E0373
/// gristmill::scope(|s| {
///     let numbers = vec![1, 2, 3];
///     s.spawn(|_| println!("{numbers:?}"));
/// });
/// ```
///
/// ```compile_fail,E0597
/// gristmill::scope(|s| {
///     let numbers = vec![1, 2, 3];
///     let borrowed = &numbers;
///     s.spawn(move |_| println!("{borrowed:?}"));
/// });
/// ```
///
/// ```
/// let numbers = vec![1, 2, 3];
/// gristmill::scope(|s| s.spawn(|_| println!("{numbers:?}")));
/// ```
struct JobsBorrowFromOutsideTheScope;

/// Nor what a job of it owns, for a job that this job spawns.
///
/// ```compile_fail,E0373
/// gristmill::scope(|s| {
///     s.spawn(|s| {
///         let numbers = vec![1, 2, 3];
///         s.spawn(|_| println!("{numbers:?}"));
///     });
/// });
/// ```
///
/// ```
/// gristmill::scope(|s| {
///     s.spawn(|s| {
///         let numbers = vec![1, 2, 3];
///         s.spawn(move |_| println!("{numbers:?}"));
///     });
/// });
/// ```
struct JobsBorrowFromOutsideTheirParent;

/// The scope does not leave its body.
///
/// ```compile_fail,E0521
/// let mut kept = None;
/// gristmill::scope(|s| kept = Some(s));
/// ```
///
/// ```compile_fail
/// let s = gristmill::scope(|s| s);
/// s.spawn(|_| ());
/// ```
///
/// ```
/// let mut kept = None;
/// gristmill::scope(|s| kept = Some(format!("{s:?}")));
/// ```
struct TheScopeStaysInItsBody;

/// Two jobs do not get one mutable borrow, and what a job borrows mutably is not read while it may run.
///
/// ```compile_fail,E0499
/// let mut count = 0;
/// gristmill::scope(|s| {
///     s.spawn(|_| count += 1);
///     s.spawn(|_| count += 1);
/// });
/// ```
///
/// ```compile_fail,E0503
/// let mut count = 0;
/// gristmill::scope(|s| {
///     s.spawn(|_| count += 1);
///     assert!(count < 2);
/// });
/// ```
///
/// ```
/// let mut count = 0;
/// gristmill::scope(|s| s.spawn(|_| count += 1));
/// assert!(count < 2);
/// ```
struct JobsKeepTheirBorrowsToTheEnd;

/// A scope cannot be passed off as one with a longer life, whose jobs could borrow less long.
///
/// ```compile_fail
/// fn stretch<'a, 'long: 'short, 'short>(s: &'a gristmill::Scope<'long>) -> &'a gristmill::Scope<'short> {
///     s
/// }
/// ```
///
/// ```compile_fail
/// fn stretch<'a, 'long: 'short, 'short>(s: &'a gristmill::Scope<'short>) -> &'a gristmill::Scope<'long> {
///     s
/// }
/// ```
///
/// ```
/// fn pass<'a, 'scope>(s: &'a gristmill::Scope<'scope>) -> &'a gristmill::Scope<'scope> {
///     s
/// }
/// ```
struct ScopesAreInvariant;

/// What a scope's job takes along is `Send`.
///
/// ```compile_fail,E0277
/// let count = std::rc::Rc::new(1);
/// gristmill::scope(|s| s.spawn(|_| println!("{count}")));
/// ```
///
/// ```
/// let count = std::sync::Arc::new(1);
/// gristmill::scope(|s| s.spawn(|_| println!("{count}")));
/// ```
struct ScopeJobsAreSend;

/// A detached job borrows nothing: nobody waits for it.
///
/// ```compile_fail,E0373
/// let numbers = vec![1, 2, 3];
/// gristmill::spawn(|| println!("{numbers:?}"));
/// ```
///
/// ```compile_fail,E0597
/// let mill = gristmill::Mill::builder().workers(1).build().unwrap();
/// let numbers = vec![1, 2, 3];
/// let borrowed = &numbers;
/// mill.spawn(move || println!("{borrowed:?}")).unwrap();
/// ```
///
/// ```
/// let numbers = vec![1, 2, 3];
/// gristmill::spawn(move || println!("{numbers:?}"));
/// ```
struct DetachedJobsBorrowNothing;

/// And is `Send`, on every way in.
///
/// ```compile_fail,E0277
/// let count = std::rc::Rc::new(1);
/// gristmill::spawn(move || println!("{count}"));
/// ```
///
/// ```compile_fail,E0277
/// let mill = gristmill::Mill::builder().workers(1).build().unwrap();
/// let count = std::rc::Rc::new(1);
/// mill.spawn_on(0, move || println!("{count}")).unwrap();
/// ```
///
/// ```
/// let mill = gristmill::Mill::builder().workers(1).build().unwrap();
/// let count = std::sync::Arc::new(1);
/// mill.spawn_on(0, move || println!("{count}")).unwrap();
/// ```
struct DetachedJobsAreSend;

/// `install` may run its closure on a worker and bring the result back, so both are `Send`.
///
/// ```compile_fail,E0277
/// let count = std::rc::Rc::new(1);
/// gristmill::Mill::global().install(|| println!("{count}"));
/// ```
///
/// ```compile_fail,E0277
/// gristmill::Mill::global().install(|| std::rc::Rc::new(1));
/// ```
///
/// ```
/// let count = 1;
/// assert_eq!(gristmill::Mill::global().install(|| &count), &1);
/// ```
struct InstalledWorkIsSend;

/// All workers run one closure in `broadcast`: it is shared, and what it captures too.
///
/// ```compile_fail,E0277
/// let count = std::cell::Cell::new(0);
/// gristmill::Mill::global().broadcast(|_| count.set(1));
/// ```
///
/// ```compile_fail,E0594
/// let mut count = 0;
/// gristmill::Mill::global().broadcast(|_| count = 1);
/// ```
///
/// ```
/// let count = 3;
/// gristmill::Mill::global().broadcast(|number| number < count);
/// ```
struct BroadcastIsShared;

/// A mill's handlers are called on its threads, whenever: they borrow nothing and are shared.
///
/// ```compile_fail,E0373
/// let seen = std::sync::Mutex::new(0);
/// let mill = gristmill::Mill::builder().panic_handler(|_| *seen.lock().unwrap() += 1).build();
/// ```
///
/// ```compile_fail,E0277
/// let count = std::rc::Rc::new(1);
/// let mill = gristmill::Mill::builder().start_handler(move |_| println!("{count}")).build();
/// ```
///
/// ```
/// let mill = gristmill::Mill::builder().workers(1).start_handler(|number| println!("{number}")).build();
/// ```
struct HandlersAreShared;

/// The body of a loop runs on several threads at once: it is shared, and what it captures too.
///
/// ```compile_fail,E0277
/// let count = std::cell::Cell::new(0);
/// gristmill::par_for(0..10, |n| count.set(n));
/// ```
///
/// ```compile_fail,E0594
/// let mut count = 0;
/// gristmill::par_for(0..10, |n| count += n);
/// ```
///
/// ```
/// let count = std::sync::Mutex::new(0);
/// gristmill::par_for(0..10, |n| *count.lock().unwrap() += n);
/// assert_eq!(count.into_inner().unwrap(), 45);
/// ```
struct LoopBodiesAreShared;

/// Items that are shared are `Sync`, items that are handed out mutably are `Send`, and so are results.
///
/// ```compile_fail,E0277
/// gristmill::par_for(&[std::cell::Cell::new(1)], |cell| cell.set(2));
/// ```
///
/// ```compile_fail,E0277
/// gristmill::par_for(&mut [std::rc::Rc::new(1)], |_| ());
/// ```
///
/// ```compile_fail,E0277
/// gristmill::par_map(0..10, std::rc::Rc::new);
/// ```
///
/// ```compile_fail,E0277
/// gristmill::par_chunks_mut(&mut [std::rc::Rc::new(1)], 1, |_, _| ());
/// ```
///
/// ```
/// gristmill::par_for(&mut [std::cell::Cell::new(1)], |cell| cell.set(2));
/// gristmill::par_map(0..10, std::sync::Arc::new);
/// ```
struct ItemsMayBeShared;

/// A loop over mutable items has borrowed all of them.
///
/// ```compile_fail,E0502
/// let mut numbers = [1, 2, 3];
/// gristmill::par_for(&mut numbers, |n| *n += numbers[0]);
/// ```
///
/// ```
/// let mut numbers = [1, 2, 3];
/// let first = numbers[0];
/// gristmill::par_for(&mut numbers, |n| *n += first);
/// ```
struct LoopsBorrowTheirItems;

/// A mutable item does not outlive what it is an item of.
///
/// ```compile_fail,E0597
/// let kept = std::sync::Mutex::new(None);
/// {
///     let mut numbers = [1, 2, 3];
///     gristmill::par_for(&mut numbers, |n| *kept.lock().unwrap() = Some(n));
/// }
/// drop(kept);
/// ```
///
/// ```
/// let mut numbers = [1, 2, 3];
/// let kept = std::sync::Mutex::new(None);
/// gristmill::par_for(&mut numbers, |n| *kept.lock().unwrap() = Some(n));
/// ```
struct ItemsLiveAsLongAsTheirSlice;

/// A running total goes over its items twice, so they cannot be handed out mutably.
///
/// ```compile_fail,E0277
/// gristmill::par_scan(&mut [1, 2, 3], || 0, |sum, x| sum + *x, |a, b| a + b);
/// ```
///
/// ```
/// gristmill::par_scan(&[1, 2, 3], || 0, |sum, x| sum + x, |a, b| a + b);
/// ```
struct ScansShareTheirItems;

/// A worker's own value is borrowed for one call, and goes from thread to thread in the end.
///
/// ```compile_fail,E0521
/// let local = gristmill::WorkerLocal::new(|| 0);
/// let mut kept = None;
/// local.with(|value| kept = Some(value));
/// ```
///
/// ```compile_fail,E0277
/// gristmill::WorkerLocal::new(|| std::rc::Rc::new(1));
/// ```
///
/// ```
/// let local = gristmill::WorkerLocal::new(|| 0);
/// let mut kept = None;
/// local.with(|value| kept = Some(*value));
/// ```
struct WorkersOwnValuesStayWithThem;

/// What a context holds may go to any thread, so it is `Send` and `Sync`.
///
/// ```compile_fail,E0277
/// static COUNT: gristmill::contextvars::ContextVar<std::cell::Cell<u32>> = gristmill::contextvars::ContextVar::new("count");
/// ```
///
/// ```compile_fail,E0277
/// let count = gristmill::contextvars::ContextVar::new("count");
/// count.set(std::rc::Rc::new(1));
/// ```
///
/// ```
/// let count = gristmill::contextvars::ContextVar::new("count");
/// count.set(std::sync::Arc::new(1));
/// ```
struct ContextVarTakesWhatIsSendAndSync;

/// What is looked at in a context does not outlive the look.
///
/// ```compile_fail
/// let name = gristmill::contextvars::ContextVar::<String>::new("name");
/// let kept: Option<&String> = name.with(|name| name);
/// println!("{kept:?}");
/// ```
///
/// ```
/// let name = gristmill::contextvars::ContextVar::<String>::new("name");
/// let kept: Option<String> = name.with(|name| name.cloned());
/// println!("{kept:?}");
/// ```
struct ContextVarLendsForTheCall;

/// A variable is not one of a subtype or a supertype: one could be set, and the other read.
///
/// ```compile_fail,E0308
/// use gristmill::contextvars::ContextVar;
/// type Any = for<'a> fn(&'a str) -> &'a str;
/// type Static = fn(&'static str) -> &'static str;
/// fn widen(variable: &ContextVar<Any>) -> &ContextVar<Static> {
///     variable
/// }
/// ```
///
/// ```
/// use gristmill::contextvars::ContextVar;
/// type Any = for<'a> fn(&'a str) -> &'a str;
/// fn keep(variable: &ContextVar<Any>) -> &ContextVar<Any> {
///     variable
/// }
/// ```
struct ContextVarIsInvariant;

/// An event's action may run on another thread, and outlive the function that entered it.
///
/// ```compile_fail,E0277
/// let (scheduler, count) = (gristmill::sched::Scheduler::new(), std::rc::Rc::new(1));
/// scheduler.enterabs(std::time::Instant::now(), 0, move |_| println!("{count}"));
/// ```
///
/// ```compile_fail,E0597
/// let scheduler = gristmill::sched::Scheduler::new();
/// let count = 1;
/// let borrowed = &count;
/// scheduler.enterabs(std::time::Instant::now(), 0, move |_| println!("{borrowed}"));
/// ```
///
/// ```
/// let (scheduler, count) = (gristmill::sched::Scheduler::new(), std::sync::Arc::new(1));
/// scheduler.enterabs(std::time::Instant::now(), 0, move |_| println!("{count}"));
/// ```
struct EventsAreSendAndStatic;

/// A bell belongs to the thread that waits on it.
///
/// ```compile_fail,E0277
/// fn wait_elsewhere(bell: &gristmill::sched::Bell) {
///     std::thread::scope(|s| {
///         s.spawn(|| bell.wait());
///     });
/// }
/// ```
///
/// ```
/// fn ring_elsewhere(bell: &gristmill::sched::Bell) {
///     let ringer = bell.ringer();
///     std::thread::scope(|s| {
///         s.spawn(|| ringer.ring());
///     });
/// }
/// ```
struct BellsStayWithTheirThread;
/// Guards stay on the thread that locked, but for those of a `Lock`, which any thread may release.
///
/// ```compile_fail,E0277
/// let mutex = gristmill::sync::Mutex::new(1);
/// let guard = mutex.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)).join().unwrap());
/// ```
///
/// ```compile_fail,E0277
/// let mutex = gristmill::sync::ReentrantMutex::new(1);
/// let guard = mutex.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)).join().unwrap());
/// ```
///
/// ```compile_fail,E0277
/// let lock = gristmill::sync::RwLock::new(1);
/// let guard = lock.read();
/// std::thread::scope(|s| s.spawn(move || drop(guard)).join().unwrap());
/// ```
///
/// ```compile_fail,E0277
/// let lock = gristmill::sync::RwLock::new(1);
/// let guard = lock.write();
/// std::thread::scope(|s| s.spawn(move || drop(guard)).join().unwrap());
/// ```
///
/// ```compile_fail,E0277
/// let lock = gristmill::sync::RLock::new();
/// let guard = lock.guard();
/// std::thread::scope(|s| s.spawn(move || drop(guard)).join().unwrap());
/// ```
///
/// ```
/// let lock = gristmill::sync::Lock::new();
/// let guard = lock.guard();
/// std::thread::scope(|s| s.spawn(move || drop(guard)).join().unwrap());
/// ```
struct GuardsStayWithTheirThread;

/// Locks make values of threads that may be moved between them; sharing among readers needs more.
///
/// ```compile_fail,E0277
/// let mutex = gristmill::sync::Mutex::new(std::rc::Rc::new(1));
/// std::thread::scope(|s| s.spawn(|| **mutex.lock()).join().unwrap());
/// ```
///
/// ```compile_fail,E0277
/// let mutex = gristmill::sync::ReentrantMutex::new(std::rc::Rc::new(1));
/// std::thread::scope(|s| s.spawn(|| **mutex.lock()).join().unwrap());
/// ```
///
/// ```compile_fail,E0277
/// let lock = gristmill::sync::RwLock::new(std::cell::Cell::new(1));
/// std::thread::scope(|s| s.spawn(|| lock.read().get()).join().unwrap());
/// ```
///
/// ```
/// let mutex = gristmill::sync::Mutex::new(std::cell::Cell::new(1));
/// std::thread::scope(|s| s.spawn(|| mutex.lock().get()).join().unwrap());
/// let mutex = gristmill::sync::ReentrantMutex::new(std::cell::Cell::new(1));
/// std::thread::scope(|s| s.spawn(|| mutex.lock().get()).join().unwrap());
/// ```
struct LockedValuesGoFromThreadToThread;

/// A guard's value is not kept beyond the guard, and nobody but the library makes scopes.
///
/// ```compile_fail,E0505
/// let mutex = gristmill::sync::Mutex::new(1);
/// let guard = mutex.lock();
/// let value = &*guard;
/// drop(guard);
/// assert_eq!(*value, 1);
/// ```
///
/// ```compile_fail,E0277
/// struct Mine;
/// impl gristmill::sync::Scope for Mine {}
/// ```
///
/// ```
/// let mutex = gristmill::sync::Mutex::new(1);
/// let guard = mutex.lock();
/// let value = *guard;
/// drop(guard);
/// assert_eq!(value, 1);
/// ```
struct GuardedValuesAreBorrowed;
/// What a cell holds is seen by all threads that see the cell.
///
/// ```compile_fail,E0277
/// static CELL: gristmill::sync::OnceCell<std::cell::Cell<u32>> = gristmill::sync::OnceCell::new();
/// ```
///
/// ```
/// static CELL: gristmill::sync::OnceCell<u32> = gristmill::sync::OnceCell::new();
/// ```
struct CellsAreForWhatIsSync;

/// A closure means nothing in another process.
///
/// ```compile_fail,E0599
/// use gristmill::sync::{BarrierBuilder, Shared};
/// let barrier = BarrierBuilder::<Shared>::new(2).action(|| ()).build();
/// ```
///
/// ```
/// use gristmill::sync::{BarrierBuilder, Private};
/// let barrier = BarrierBuilder::<Private>::new(2).action(|| ()).build();
/// ```
struct ActionsStayInTheirProcess;

/// A condition variable and its mutex have one scope.
///
/// ```compile_fail,E0308
/// let (mutex, changed) = (gristmill::sync::Mutex::new(0), gristmill::sync::Condvar::shared());
/// changed.wait_while(mutex.lock(), |n| *n == 1);
/// ```
///
/// ```
/// let (mutex, changed) = (gristmill::sync::Mutex::new(0), gristmill::sync::Condvar::new());
/// changed.wait_while(mutex.lock(), |n| *n == 1);
/// ```
struct ConditionsAndMutexesShareTheirScope;
