//! Who is told of panics, and of threads that come and go. Hooks are the process's: each test has its own.

#![allow(unsafe_code, reason = "puts another file in the place of the standard error stream")]

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use gristmill::thread::{
    default_unraisable_hook, exit, set_unraisable_hook, start_joinable_thread, unraisable_hook,
};
use gristmill::threading::{
    EventKind, ExceptHookArgs, JoinFailure, Thread, Timer, current_thread, default_excepthook, excepthook,
    profile_hook, set_excepthook, set_profile, set_profile_all_threads, set_trace, set_trace_all_threads,
    spawn, trace_hook,
};

use crate::stage::{alone, kept_alive, times};
use crate::suite::{ledger::Ledger, tick, watch::watch};

fn run(name: &str, f: impl FnOnce() + Send + 'static) {
    let thread = Thread::builder().name(name).build(f);
    thread.start().unwrap();
    thread.join().unwrap();
}

#[test]
fn by_default_the_panic_hook_tells_of_it_once() {
    let _watched = watch("by_default_the_panic_hook_tells_of_it_once");
    let Some(stderr) = alone("hooks::by_default_the_panic_hook_tells_of_it_once", || {
        run("miller", || panic!("no grist"));
        start_joinable_thread(|| panic!("no flour")).unwrap().join().unwrap();
        let bell = Timer::builder(std::time::Duration::ZERO).name("bell").build(|| panic!("rings"));
        bell.start().unwrap();
        bell.wait_finished();
        assert!(matches!(spawn(|| panic!("in vain")).unwrap().join(), Err(JoinFailure::Panicked(_))));
        run("leaves", || exit());
        crate::suite::until(|| gristmill::thread::count() == 0);
    }) else {
        return;
    };
    for text in ["no grist", "no flour", "rings", "in vain"] {
        assert_eq!(times(&stderr, text), 1, "{stderr}");
    }
    assert!(stderr.contains("thread 'miller'") && stderr.contains("thread 'bell'"), "{stderr}");
    assert_eq!(times(&stderr, "panicked at"), 4, "{stderr}");
}

#[test]
fn a_hook_is_told_in_place_of_the_panic_hook() {
    let _watched = watch("a_hook_is_told_in_place_of_the_panic_hook");
    let Some(stderr) = alone("hooks::a_hook_is_told_in_place_of_the_panic_hook", || {
        let told = Arc::new(Mutex::new(Vec::new()));
        let notes = told.clone();
        assert!(excepthook().is_none());
        let hook = move |args: &gristmill::threading::ExceptHookArgs<'_>| {
            let panic = args.panic();
            assert_eq!(args.thread(), Some(&current_thread()));
            assert!(!panic.is_reported());
            assert!(panic.location().unwrap().file().ends_with("hooks.rs"));
            notes.lock().unwrap().push((args.to_string(), panic.payload().is::<u32>()));
        };
        assert!(set_excepthook(Some(Arc::new(hook))).is_none());
        run("miller", || panic!("no grist"));
        run("formats", || panic!("{} sacks", 3));
        run("odd", || std::panic::panic_any(7_u32));
        run("leaves", || exit());
        assert!(matches!(spawn(|| panic!("twice")).unwrap().join(), Err(JoinFailure::Panicked(_))));
        // What is caught there is nobody's business; on other threads it is the panic hook's.
        run("catches", || assert!(std::panic::catch_unwind(|| panic!("caught inside")).is_err()));
        assert!(std::panic::catch_unwind(|| panic!("elsewhere")).is_err());
        set_excepthook(None).unwrap();
        run("miller", || panic!("by default again"));
        let told = told.lock().unwrap();
        let odd = "thread 'odd' panicked: a panic with a payload that is not a text";
        assert_eq!(told[0].0, "thread 'miller' panicked: no grist");
        assert_eq!(told[1].0, "thread 'formats' panicked: 3 sacks");
        assert_eq!(told[2], (odd.to_owned(), true));
        assert!(told[3].0.ends_with(" panicked: twice"));
        assert_eq!(told.len(), 4);
    }) else {
        return;
    };
    for text in ["elsewhere", "by default again"] {
        assert_eq!(times(&stderr, text), 1, "{stderr}");
    }
    assert_eq!(times(&stderr, "panicked at"), 2, "{stderr}");
}

#[test]
fn a_hook_may_pass_it_on_to_the_default() {
    let _watched = watch("a_hook_may_pass_it_on_to_the_default");
    let Some(stderr) = alone("hooks::a_hook_may_pass_it_on_to_the_default", || {
        set_excepthook(Some(Arc::new(default_excepthook)));
        run("miller", || panic!("no grist"));
        set_unraisable_hook(Some(Arc::new(default_unraisable_hook)));
        assert!(unraisable_hook().is_some());
        start_joinable_thread(|| panic!("no flour")).unwrap().join().unwrap();
        // One that was told of where it began, and goes on here.
        let payload = std::panic::catch_unwind(|| panic!("from elsewhere")).unwrap_err();
        run("carries", move || std::panic::resume_unwind(payload));
        run("catches", || {
            assert!(std::panic::catch_unwind(|| panic!("caught inside")).is_err());
            std::panic::resume_unwind(Box::new("goes on quietly"));
        });
    }) else {
        return;
    };
    for text in ["no grist", "no flour", "from elsewhere"] {
        assert_eq!(times(&stderr, text), 1, "{stderr}");
    }
    assert!(stderr.contains("thread 'miller' panicked at tests/threads/hooks.rs:"), "{stderr}");
    assert_eq!(times(&stderr, "panicked at"), 3, "{stderr}");
    assert_eq!(times(&stderr, "caught inside") + times(&stderr, "goes on quietly"), 0, "{stderr}");
}

/// A program that has replaced the panic hook since is told by its own.
#[test]
fn a_panic_hook_that_comes_later_tells_of_it_once() {
    let _watched = watch("a_panic_hook_that_comes_later_tells_of_it_once");
    let Some(stderr) = alone("hooks::a_panic_hook_that_comes_later_tells_of_it_once", || {
        set_excepthook(Some(Arc::new(|args| {
            assert!(args.panic().is_reported());
            default_excepthook(args);
        })));
        std::panic::set_hook(Box::new(|info| eprintln!("the program's own: {info}")));
        run("miller", || panic!("no grist"));
        drop(std::panic::take_hook());
    }) else {
        return;
    };
    assert_eq!(times(&stderr, "no grist"), 1, "{stderr}");
    assert!(stderr.contains("the program's own"), "{stderr}");
}

#[test]
fn a_hook_that_panics_loses_nothing() {
    let _watched = watch("a_hook_that_panics_loses_nothing");
    let Some(stderr) = alone("hooks::a_hook_that_panics_loses_nothing", || {
        set_excepthook(Some(Arc::new(|_| panic!("the hook broke"))));
        run("miller", || panic!("no grist"));
        set_unraisable_hook(Some(Arc::new(|_| panic!("the other broke"))));
        start_joinable_thread(|| panic!("no flour")).unwrap().join().unwrap();
    }) else {
        return;
    };
    for text in ["no grist", "no flour", "the hook broke", "the other broke"] {
        assert_eq!(times(&stderr, text), 1, "{stderr}");
    }
    assert!(stderr.contains("the excepthook panicked over thread 'miller'"), "{stderr}");
}

/// A hook may replace itself, and what it captured is dropped.
#[test]
fn hooks_are_dropped() {
    let _watched = watch("hooks_are_dropped");
    alone("hooks::hooks_are_dropped", || {
        let ledger = Ledger::default();
        let chit = ledger.chit();
        set_excepthook(Some(Arc::new(move |_| {
            let _chit = &chit;
            drop(set_excepthook(None));
            assert!(excepthook().is_none());
        })));
        run("miller", || panic!("no grist"));
        ledger.settled(0);
        let chit = ledger.chit();
        set_trace(Some(Arc::new(move |_| {
            let _chit = &chit;
            drop(set_trace(None));
        })));
        run("miller", || ());
        ledger.settled(0);
    });
}

type Seen = Arc<Mutex<Vec<(EventKind, String)>>>;

fn record(seen: &Seen) -> gristmill::threading::TraceHook {
    let seen = seen.clone();
    Arc::new(move |event| {
        assert_eq!(event.thread, &current_thread());
        seen.lock().unwrap().push((event.kind, event.thread.name().to_string()));
    })
}

#[test]
fn new_threads_are_traced() {
    let _watched = watch("new_threads_are_traced");
    alone("hooks::new_threads_are_traced", || {
        let seen = Seen::default();
        let (before, end) = kept_alive();
        assert!(set_trace(Some(record(&seen))).is_none());
        assert!(trace_hook().is_some());
        run("a", || ());
        run("b", || exit());
        drop(end);
        before.join().unwrap();
        // A thread keeps the hook that it began with.
        let (traced, end) = kept_alive();
        traced.set_name("c");
        crate::suite::until(|| seen.lock().unwrap().len() == 5);
        set_trace(None).unwrap();
        run("d", || ());
        drop(end);
        traced.join().unwrap();
        let kinds: Vec<_> = seen.lock().unwrap().iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [EventKind::Start, EventKind::Stop].repeat(3));
        let seen = seen.lock().unwrap();
        let names: Vec<_> = seen.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!((&names[..4], names[5]), (&["a", "a", "b", "b"][..], "c"));
    });
}

#[test]
fn running_threads_are_traced_when_all_are() {
    let _watched = watch("running_threads_are_traced_when_all_are");
    alone("hooks::running_threads_are_traced_when_all_are", || {
        let (first, second) = (Seen::default(), Seen::default());
        set_trace(Some(record(&first)));
        let (a, end_a) = kept_alive();
        crate::suite::until(|| first.lock().unwrap().len() == 1);
        set_trace_all_threads(Some(record(&second)));
        drop(end_a);
        a.join().unwrap();
        assert_eq!(second.lock().unwrap()[..], [(EventKind::Stop, a.name().to_string())]);
        let (b, end_b) = kept_alive();
        crate::suite::until(|| second.lock().unwrap().len() == 2);
        set_trace_all_threads(None);
        drop(end_b);
        b.join().unwrap();
        assert_eq!((first.lock().unwrap().len(), second.lock().unwrap().len()), (1, 2));
    });
}

#[test]
fn profiles_tell_times() {
    let _watched = watch("profiles_tell_times");
    alone("hooks::profiles_tell_times", || {
        let (send, receive) = mpsc::channel();
        let send = Mutex::new(send);
        assert!(profile_hook().is_none());
        set_profile(Some(Arc::new(move |event| {
            let _ = send.lock().unwrap().send((event.kind, event.wall, event.cpu));
        })));
        run("spins", || assert!(std::hint::black_box((0..1_000_000_u64).map(|n| n * n).max()).is_some()));
        let (kind, wall, cpu) = receive.recv().unwrap();
        assert!(kind == EventKind::Start && wall.is_some());
        let (kind, end_wall, end_cpu) = receive.recv().unwrap();
        assert!(kind == EventKind::Stop && end_wall > wall && end_cpu > cpu);
        set_profile_all_threads(None);
        run("unseen", || ());
        assert!(receive.recv().is_err());
    });
}

/// A hook that panics is told of, and called no more on that thread.
#[test]
fn a_trace_hook_that_panics() {
    let _watched = watch("a_trace_hook_that_panics");
    let Some(stderr) = alone("hooks::a_trace_hook_that_panics", || {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        set_trace(Some(Arc::new(|_| {
            tick(&CALLS);
            panic!("the tracer broke");
        })));
        assert_eq!(spawn(|| 1).unwrap().join().unwrap(), 1);
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
    }) else {
        return;
    };
    assert_eq!(times(&stderr, "the tracer broke"), 1, "{stderr}");
}

/// Nobody can be told of a panic, and whoever waits for the thread learns of it all the same.
#[test]
fn an_error_stream_that_nobody_reads() {
    let _watched = watch("an_error_stream_that_nobody_reads");
    alone("hooks::an_error_stream_that_nobody_reads", || {
        let (stream, reader) = UnixStream::pair().unwrap();
        drop(reader);
        // SAFETY: puts one open file in the place of another.
        assert_eq!(unsafe { libc::dup2(stream.as_raw_fd(), libc::STDERR_FILENO) }, libc::STDERR_FILENO);
        let hooks: [fn(&ExceptHookArgs<'_>); 2] = [default_excepthook, |_| panic!("as does the hook")];
        for hook in hooks {
            set_excepthook(Some(Arc::new(hook)));
            let joined = spawn(|| panic!("into the void")).unwrap().join();
            assert!(matches!(joined, Err(JoinFailure::Panicked(_))));
            let timer = Timer::after(std::time::Duration::ZERO, || panic!("into the void")).unwrap();
            timer.join().unwrap();
            assert!(timer.is_finished());
        }
    });
}
