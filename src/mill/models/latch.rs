//! Latches, and the jobs that they end.

use std::sync::Arc;

use loom::thread;

use super::{Once, check};
use crate::mill::job::StackJob;
use crate::mill::latch::Latch;
use crate::sync::parker::Parker;

/// A job in a frame that is gone as soon as its latch is set; with a token left over from before.
#[test]
fn models_a_latch_wakes_its_waiter() {
    for stale_token in [false, true] {
        check(5, move || {
            let parker = Parker::current();
            if stale_token {
                parker.unpark();
            }
            let once = Arc::new(Once::new());
            let job = {
                let once = Arc::clone(&once);
                // SAFETY: the job runs once.
                Box::new(StackJob::new(move || unsafe { once.job().run() }))
            };
            // SAFETY: nobody has seen the job.
            unsafe { job.job_ref().stamp_waited(std::ptr::null()) };
            let there = job.job_ref();
            // SAFETY: taken by this thread alone.
            let runner = thread::spawn(move || unsafe { there.run() });
            // SAFETY: stamped above.
            unsafe { job.waited().latch() }.wait(parker);
            // SAFETY: the latch is set.
            assert!(unsafe { job.result() }.is_ok());
            drop(job);
            once.assert_ran();
            runner.join().unwrap();
        });
    }
}

/// A latch that goes as soon as it is set: loom sees it if its setter looks at it once more.
#[test]
fn models_a_latch_may_go_once_it_is_set() {
    struct There(*const Latch);
    // SAFETY: the latch is alive until it is set.
    unsafe impl Send for There {}
    check(5, || {
        let latch = Box::new(Latch::new());
        let there = There(&raw const *latch);
        let setter = thread::spawn(move || {
            let There(latch) = { there };
            // SAFETY: alive until it is set, and set once.
            unsafe { Latch::set(latch) };
        });
        latch.wait(Parker::current());
        drop(latch);
        setter.join().unwrap();
    });
}
