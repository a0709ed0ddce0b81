//! Futures: tasks by a pool of threads, taken as they are done, mapped, nested, cancelled.
//!
//! ```sh
//! cargo run --release --example futures
//! ```

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use gristmill::concurrent::futures::{
    Executor, ReturnWhen, TaskError, ThreadPoolExecutor, as_completed, wait,
};

/// Stands for a request to some server.
fn fetch(page: &str) -> usize {
    assert!(!page.contains(' '), "`{page}` is no name of a page");
    // The worker's place is another task's meanwhile.
    gristmill::blocking(|| sleep(Duration::from_millis(5)));
    page.len() * 1_000
}

fn is_prime(n: u64) -> bool {
    n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = Arc::new(ThreadPoolExecutor::builder().max_workers(4).thread_name_prefix("fetch").build()?);

    // Each with its key, in the order in which they are done. A panic is an error like others.
    let pages = ["index", "news", "no such page", "contact"];
    let sizes = pages.map(|page| (pool.submit(move || fetch(page)), page));
    let sizes = sizes.map(|(size, page)| size.map(|size| (size, page)));
    for done in
        as_completed(sizes.into_iter().collect::<Result<Vec<_>, _>>()?).timeout(Duration::from_secs(60))
    {
        let (size, page) = done?;
        match size.result() {
            Ok(size) => println!("{page}: {size} bytes"),
            Err(TaskError::Panicked { message, .. }) => println!("{page}: {message}"),
            Err(error) => return Err(error.into()),
        }
    }

    // The first primes of an endless input, a hundred numbers to a task, eight tasks under way.
    let primes = pool.map(|n| (n, is_prime(n)), 1_000_000..).chunk_size(100).buffer_size(8);
    let primes: Vec<u64> =
        primes.filter_map(Result::ok).filter(|(_, prime)| *prime).map(|(n, _)| n).take(3).collect();
    println!("primes from a million on: {primes:?}");

    // A task waits for others of its own pool; even one worker would do.
    let inner = Arc::clone(&pool);
    let total = pool.submit(move || {
        let parts: Result<Vec<_>, _> = (0..10_u64).map(|part| inner.submit(move || part * part)).collect();
        let parts = wait(parts.unwrap_or_default(), None, ReturnWhen::AllCompleted).done;
        parts.into_iter().filter_map(|part| part.result().ok()).sum::<u64>()
    })?;
    println!("squares: {}", total.result()?);

    // Tasks over borrowed data.
    let text = String::from("to be or not to be");
    let longest = pool.scope(|scope| {
        let words = scope.submit(|| text.split(' ').map(str::len).max());
        words.result()
    })?;
    println!("the longest word has {} letters", longest?.unwrap_or(0));

    pool.shutdown();
    println!("after the end: {}", pool.submit(|| ()).unwrap_err());
    Ok(())
}
