//! A hang is a failure with a name: a test that runs too long ends the process.

use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

static RUNNING: Mutex<Vec<(&'static str, Instant)>> = Mutex::new(Vec::new());
static START: Once = Once::new();

/// A test is under way for as long as this lives.
pub(crate) struct Watched(&'static str);

/// Watches the test `name`: unless it ends, or calls [`Watched::alive`], within two minutes, the process is
/// aborted and says which test that was.
pub(crate) fn watch(name: &'static str) -> Watched {
    START.call_once(|| {
        // A child that is forked while a thread begins can start none itself: so wait until this one runs.
        let (send, runs) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            send.send(()).unwrap();
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let running = RUNNING.lock().unwrap();
                if let Some((name, _)) = running.iter().find(|(_, since)| since.elapsed() > LIMIT) {
                    eprintln!("`{name}` hangs: no progress for {LIMIT:?}");
                    std::process::abort();
                }
            }
        });
        runs.recv().unwrap();
    });
    RUNNING.lock().unwrap().push((name, Instant::now()));
    Watched(name)
}

impl Watched {
    /// The test makes progress: its time starts again.
    pub(crate) fn alive(&self) {
        let mut running = RUNNING.lock().unwrap();
        if let Some(entry) = running.iter_mut().find(|(name, _)| *name == self.0) {
            entry.1 = Instant::now();
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        RUNNING.lock().unwrap().retain(|(name, _)| *name != self.0);
    }
}
