//! What these tests share.

use std::sync::mpsc;

use gristmill::threading::Thread;

use crate::suite::child;

/// Waits until the other end is dropped.
pub(crate) fn until_closed(receive: &mpsc::Receiver<()>) {
    assert!(receive.recv().is_err());
}

/// A thread whose function has begun, and that lives until what this returns is dropped.
pub(crate) fn kept_alive() -> (Thread, mpsc::Sender<()>) {
    let (send, receive) = mpsc::channel::<()>();
    let (here, has_come) = mpsc::channel();
    let thread = Thread::new(move || {
        here.send(()).unwrap();
        until_closed(&receive);
    });
    thread.start().unwrap();
    has_come.recv().unwrap();
    (thread, send)
}

/// Runs `test` in a process of its own, and returns what that wrote on its standard error stream; there, nothing.
pub(crate) fn alone(name: &str, test: impl FnOnce()) -> Option<String> {
    if child::is_child() {
        test();
        return None;
    }
    let output = child::run(name);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
    Some(stderr)
}

/// How often `text` holds `part`.
pub(crate) fn times(text: &str, part: &str) -> usize {
    text.matches(part).count()
}
