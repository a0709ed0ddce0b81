//! A task is one allocation: closure, state and result share it. In a program of its own, as it counts all of them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill::concurrent::futures::ThreadPoolExecutor;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[allow(unsafe_code, reason = "an allocator that counts")]
// SAFETY: it does what the system's does.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Submits tasks that capture `value`, waits for all, and returns how many allocations each took.
fn per_task<V: Copy + Send + 'static>(pool: &ThreadPoolExecutor, value: V) -> f64 {
    const TASKS: usize = 20_000;
    let mut futures = Vec::with_capacity(TASKS);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..TASKS {
        futures.push(pool.submit(move || value).unwrap());
    }
    for future in futures {
        future.result().unwrap();
    }
    (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / TASKS as f64
}

#[test]
fn a_task_is_one_allocation() {
    for caller_runs in [true, false] {
        let pool = ThreadPoolExecutor::builder().max_workers(2).caller_runs(caller_runs).build().unwrap();
        // Large ones have an allocation each. The queue, too, grows by blocks of many places.
        let large = per_task(&pool, [0_u64; 32]);
        assert!((1.0..1.1).contains(&large), "{large} allocations for each task");
        // Memory for small ones is cut from the system's by the hundred.
        let small = per_task(&pool, 0_u64);
        assert!(small < 0.1, "{small} allocations for each task");
        println!("large {large:.3}, small {small:.3} allocations for each task");
    }
}
