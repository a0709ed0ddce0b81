//! Executors and futures: the suite that all executors pass, and what is special to each.

#[path = "../suite/executor.rs"]
mod executor;
#[path = "../suite/mod.rs"]
mod suite;

mod awaits;
mod broken;
mod chaos;
mod ending;
mod held;
mod nested;
mod order;
mod room;
mod scarce;
mod tasks;
mod threads;
mod wrecks;

use gristmill::concurrent::futures::{InlineExecutor, ThreadPoolExecutor};

use executor::{Subject, conforms};

struct OneThread;

impl Subject for OneThread {
    type Executor = ThreadPoolExecutor;

    fn make() -> ThreadPoolExecutor {
        ThreadPoolExecutor::new(1).unwrap()
    }
}

struct FourThreads;

impl Subject for FourThreads {
    type Executor = ThreadPoolExecutor;

    fn make() -> ThreadPoolExecutor {
        ThreadPoolExecutor::new(4).unwrap()
    }
}

/// Every setting that is not the usual one.
struct StrictThreads;

impl Subject for StrictThreads {
    type Executor = ThreadPoolExecutor;

    fn make() -> ThreadPoolExecutor {
        ThreadPoolExecutor::builder()
            .max_workers(2)
            .thread_name_prefix("strict")
            .initializer(|| ())
            .strict_fifo(true)
            .lazy(false)
            .max_pending(1_000)
            .build()
            .unwrap()
    }
}

struct Inline;

impl Subject for Inline {
    type Executor = InlineExecutor;
    const DEFERS: bool = false;

    fn make() -> InlineExecutor {
        InlineExecutor::new()
    }
}

conforms!(one_thread: crate::OneThread);
conforms!(four_threads: crate::FourThreads);
conforms!(strict_threads: crate::StrictThreads);
conforms!(inline: crate::Inline);
