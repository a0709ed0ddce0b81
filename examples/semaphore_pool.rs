//! A bounded pool of connections: a semaphore lets as many workers in as there are connections.
//!
//! ```sh
//! cargo run --release --example semaphore_pool
//! ```

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use gristmill::sync::{BoundedSemaphore, Mutex, Permit};

/// Stands for a connection to a database.
struct Connection {
    number: usize,
    queries: usize,
}

impl Connection {
    fn query(&mut self, n: usize) -> usize {
        std::thread::sleep(Duration::from_millis(2));
        self.queries += 1;
        n * n
    }
}

struct Pool {
    /// A permit for each connection that nobody uses.
    permits: BoundedSemaphore,
    idle: Mutex<Vec<Connection>>,
}

/// A connection for as long as this lives.
struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    /// Goes back after the connection has: fields are dropped after `drop` has run.
    _permit: Permit<'a>,
}

impl Pool {
    fn new(size: usize) -> Pool {
        let connections = (0..size).map(|number| Connection { number, queries: 0 });
        let permits = BoundedSemaphore::new(size.try_into().expect("fewer than 2^31 connections"));
        Pool { permits, idle: Mutex::new(connections.collect()) }
    }

    /// Waits for a connection, not for ever.
    fn get(&self) -> Option<Lease<'_>> {
        let permit = self.permits.permit_timeout(Duration::from_secs(5))?;
        let connection = self.idle.lock().pop();
        assert!(connection.is_some(), "there is one for each permit");
        Some(Lease { pool: self, connection, _permit: permit })
    }
}

impl Lease<'_> {
    fn query(&mut self, n: usize) -> usize {
        self.connection.as_mut().map_or(0, |connection| connection.query(n))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.idle.lock().extend(self.connection.take());
    }
}

fn main() {
    const WORKERS: usize = 12;
    const QUERIES: usize = 5;
    let pool = Pool::new(3);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|s| {
        for worker in 0..WORKERS {
            let (pool, inside, most) = (&pool, &inside, &most);
            s.spawn(move || {
                for n in 0..QUERIES {
                    let mut lease = pool.get().expect("a connection within five seconds");
                    most.fetch_max(inside.fetch_add(1, Relaxed) + 1, Relaxed);
                    assert_eq!(lease.query(worker + n), (worker + n).pow(2));
                    inside.fetch_sub(1, Relaxed);
                }
            });
        }
    });
    // All are back; one more would be a mistake, and is found.
    assert_eq!(pool.permits.available(), 3);
    println!("one release too many: {}", pool.permits.release().unwrap_err());
    let most = most.into_inner();
    assert!(most <= 3);
    println!("{WORKERS} workers used at most {most} connections at the same time");
    let mut connections = pool.idle.into_inner();
    connections.sort_by_key(|connection| connection.number);
    for Connection { number, queries } in &connections {
        println!("connection {number}: {queries} queries");
    }
    assert_eq!(connections.iter().map(|connection| connection.queries).sum::<usize>(), WORKERS * QUERIES);
}
