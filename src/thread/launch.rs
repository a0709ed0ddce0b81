//! Starting a thread of the system.

use crate::sys::fork;
use crate::thread::error::StartError;
use crate::thread::handle::ThreadHandle;
use crate::thread::ident::Ident;
use crate::thread::life::{self, Kind};
use crate::thread::{hold, stack};

/// What a new thread is to be like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape<'a> {
    /// For the system and in messages of panics.
    pub(crate) name: Option<&'a str>,
    /// In bytes; 0 for what [`stack::stack_size`] says.
    pub(crate) stack_size: usize,
    /// Does the end of the process leave it where it is?
    pub(crate) daemon: bool,
}

/// Starts the thread of `handle`; it runs `main`, which does not panic. `claimed` is called first, with the thread's
/// number, once it is certain that nobody else starts it; what that did is the caller's to undo after an error other
/// than [`StartError::AlreadyStarted`].
pub(crate) fn launch(
    handle: &ThreadHandle,
    shape: Shape<'_>,
    claimed: impl FnOnce(Ident),
    main: impl FnOnce() + Send + 'static,
) -> Result<Ident, StartError> {
    fork::count();
    let ident = handle.claim()?;
    let refuse = |error| {
        handle.unclaim();
        Err(error)
    };
    if hold::is_final() || (!shape.daemon && hold::take().is_err()) {
        return refuse(StartError::ShuttingDown);
    }
    claimed(ident);
    let mut builder = std::thread::Builder::new();
    // std takes no name with a NUL in it.
    let name = shape.name.map(|name| name.split('\0').next().unwrap_or_default());
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        builder = builder.name(name.into());
    }
    let stack_size = if shape.stack_size == 0 { stack::stack_size() } else { shape.stack_size };
    if stack_size != 0 {
        builder = builder.stack_size(stack_size);
    }
    let (daemon, own) = (shape.daemon, handle.clone());
    life::live(true);
    let spawned = builder.spawn(move || {
        ident.take_on();
        life::begin(own, Kind::Ours { daemon });
        main();
    });
    match spawned {
        Ok(_) => {
            handle.started();
            Ok(ident)
        }
        Err(error) => {
            life::live(false);
            if !daemon {
                hold::give_back();
            }
            refuse(StartError::Os(error))
        }
    }
}

/// How many threads that were started by this crate's `thread` and [`threading`](crate::threading) are alive.
///
/// # Examples
///
/// ```
/// use gristmill::thread::{count, start_joinable_thread};
///
/// let before = count();
/// let (send, receive) = std::sync::mpsc::channel::<()>();
/// let handle = start_joinable_thread(move || { let _ = receive.recv(); })?;
/// assert_eq!(count(), before + 1);
/// drop(send);
/// handle.join()?;
/// assert_eq!(count(), before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("_thread._count"))]
#[must_use]
pub fn count() -> usize {
    life::count_live()
}
