//! Context variables: a request's number and user that no function hands on, over threads, jobs and async tasks.
//!
//! ```sh
//! cargo run --release --example context
//! ```

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::{Poll, Waker};

use gristmill::contextvars::{Context, ContextVar, ResetError, copy_context, inherit, instrument};

static REQUEST: ContextVar<u32> = ContextVar::new("request");
static USER: ContextVar<String> = ContextVar::new("user");
static DEPTH: ContextVar<usize> = ContextVar::with_default("depth", 0);

/// What a log line begins with. It takes no arguments, and knows all the same.
fn tag() -> String {
    let user = USER.with(|user| user.map_or("nobody", String::as_str).to_owned());
    format!(
        "{}[{} {user}]",
        "  ".repeat(DEPTH.get_or(0)),
        REQUEST.get().map_or("-".to_owned(), |id| id.to_string())
    )
}

fn serve(request: u32, user: &str) -> Vec<String> {
    REQUEST.set(request);
    USER.set(user.to_owned());
    let mut lines = vec![format!("{} received", tag())];
    DEPTH.scope(1, || lines.push(format!("{} looked up", tag())));

    // A thread of the standard library's, and a job of the mill's: each gets a copy.
    lines.push(std::thread::spawn(inherit(|| format!("{} on a thread", tag()))).join().unwrap());
    let (send, receive) = channel();
    gristmill::spawn(inherit(move || send.send(format!("{} on the mill", tag())).unwrap()));
    lines.push(receive.recv().unwrap());
    lines
}

/// A task that lets others run in between.
async fn task(name: &str) -> String {
    USER.set(name.to_owned());
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    tag()
}

fn main() -> Result<(), ResetError> {
    // Each request in a context of its own. This thread's is not touched.
    for (request, user) in [(1, "ada"), (2, "grace")] {
        let context = Context::new();
        let lines = context.run(|| serve(request, user)).expect("nobody else is in it");
        println!("{}", lines.join("\n"));
        assert_eq!(
            lines[2..],
            [format!("[{request} {user}] on a thread"), format!("[{request} {user}] on the mill")]
        );
        assert_eq!(context.get(&USER).as_deref(), Some(user));
    }
    assert_eq!((REQUEST.get(), USER.get(), copy_context().len()), (None, None, 0));

    // Two tasks that take turns on one thread, as under any executor.
    REQUEST.set(3);
    let mut tasks: Vec<Pin<Box<dyn Future<Output = String>>>> =
        vec![Box::pin(instrument(task("ada"))), Box::pin(instrument(task("grace")))];
    let mut cx = std::task::Context::from_waker(Waker::noop());
    let mut tags = Vec::new();
    while !tasks.is_empty() {
        tasks.retain_mut(|task| match task.as_mut().poll(&mut cx) {
            Poll::Ready(tag) => {
                tags.push(tag);
                false
            }
            Poll::Pending => true,
        });
    }
    println!("{}", tags.join("\n"));
    assert_eq!(tags, ["[3 ada]", "[3 grace]"]);

    // A token brings back what was there, once.
    let token = USER.set("alan".to_owned());
    USER.reset(&token)?;
    assert_eq!(USER.get(), None);
    println!("{}", USER.reset(&token).unwrap_err());
    Ok(())
}
