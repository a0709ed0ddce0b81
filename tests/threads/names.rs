//! What threads are called.

use std::sync::mpsc;

use gristmill::thread::{get_name, set_name};
use gristmill::threading::{Runnable, Thread, current_thread, main_thread, spawn};

use crate::stage::{alone, kept_alive};
use crate::suite::watch::watch;

fn target() {}

#[test]
fn threads_are_numbered() {
    let _watched = watch("threads_are_numbered");
    alone("names::threads_are_numbered", || {
        let names: Vec<_> = (0..3).map(|_| Thread::new(|| ()).name()).collect();
        assert_eq!(names, ["Thread-1", "Thread-2", "Thread-3"].map(Into::into));
        assert_eq!(&*Thread::new(target).name(), "Thread-4 (target)");
        // The same numbers for all.
        assert_eq!(&*current_thread().name(), "Dummy-5");
        struct Miller;
        impl Runnable for Miller {
            fn run(self) {}
        }
        assert_eq!(&*Thread::builder().build_runnable(Miller).name(), "Thread-6 (Miller)");
        assert_eq!(&*main_thread().name(), "MainThread");
    });
}

/// The kernel's name of a thread that has this one.
fn in_the_kernel(name: &str) -> String {
    Thread::builder().name(name).spawn(get_name).unwrap().join().unwrap()
}

#[test]
fn the_kernel_knows_the_first_fifteen_bytes() {
    let _watched = watch("the_kernel_knows_the_first_fifteen_bytes");
    assert_eq!(in_the_kernel("miller"), "miller");
    assert_eq!(in_the_kernel("exactly fifteen"), "exactly fifteen");
    assert_eq!(in_the_kernel("one more than fifteen"), "one more than f");
    assert_eq!(in_the_kernel("mill\0er"), "mill");
    // Cut between bytes, not between characters.
    assert_eq!(in_the_kernel("ääääääää"), "äääääää\u{FFFD}");
}

#[test]
fn an_empty_name_is_nobody_s_business_but_ours() {
    let _watched = watch("an_empty_name_is_nobody_s_business_but_ours");
    let names = spawn(|| {
        let before = get_name();
        current_thread().set_name("");
        assert_eq!(get_name(), before);
        current_thread().set_name("\0x");
        assert_eq!(get_name(), before);
        current_thread().name()
    });
    assert_eq!(&*names.unwrap().join().unwrap(), "\0x");
    assert_ne!(in_the_kernel(""), "");
}

/// A thread that is renamed by another keeps the kernel's name.
#[test]
fn only_the_thread_itself_tells_the_kernel() {
    let _watched = watch("only_the_thread_itself_tells_the_kernel");
    let ((ask, asked), (send, receive)) = (mpsc::channel::<()>(), mpsc::channel());
    let thread = Thread::builder().name("first").build(move || {
        asked.recv().unwrap();
        send.send((current_thread().name(), get_name())).unwrap();
    });
    thread.start().unwrap();
    thread.set_name("second");
    ask.send(()).unwrap();
    assert_eq!(receive.recv().unwrap(), ("second".into(), "first".into()));
    thread.join().unwrap();
}

#[test]
fn names_need_not_be_unique_or_short() {
    let _watched = watch("names_need_not_be_unique_or_short");
    let long = "n".repeat(10_000);
    let (a, b) = (Thread::builder().name(&long).build(target), Thread::builder().name(&long).build(target));
    assert_eq!(a.name(), b.name());
    assert_ne!(a, b);
    a.start().unwrap();
    a.join().unwrap();
    assert_eq!(&*a.name(), long);
}

#[test]
fn a_raw_name_is_set_and_read() {
    let _watched = watch("a_raw_name_is_set_and_read");
    std::thread::spawn(|| {
        set_name("0123456789abcdefg");
        assert_eq!(get_name(), "0123456789abcde");
        set_name("a\0b");
        assert_eq!(get_name(), "a");
        set_name("");
        assert_eq!(get_name(), "");
    })
    .join()
    .unwrap();
}

#[test]
fn how_a_thread_is_shown() {
    let _watched = watch("how_a_thread_is_shown");
    let thread = Thread::builder().name("t").daemon(true).build(target);
    assert_eq!(format!("{thread:?}"), "<Thread(t, initial daemon)>");
    thread.start().unwrap();
    thread.join().unwrap();
    assert_eq!(format!("{thread:?}"), format!("<Thread(t, stopped daemon {})>", thread.ident().unwrap()));
    let (alive, end) = kept_alive();
    alive.set_name("u");
    assert!(format!("{alive:?}").starts_with("<Thread(u, started "), "{alive:?}");
    drop(end);
    let main = format!("{:?}", main_thread());
    assert_eq!(main, format!("<MainThread(MainThread, started {})>", main_thread().ident().unwrap()));
}
