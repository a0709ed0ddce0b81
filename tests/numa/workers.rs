//! Who runs where.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use gristmill::locality::{self, NodeVec};
use gristmill::topology::Topology;
use gristmill::{Affinity, BuildError, Mill};

use crate::machine;

/// The node that the calling thread runs on.
pub(crate) fn here(machine: &Topology) -> usize {
    machine.current_unit().unwrap().node
}

/// A mill with a pinned worker on each unit.
pub(crate) fn full(machine: &Topology) -> Mill {
    Mill::builder().places(locality::places(machine, machine.units().len())).build().unwrap()
}

/// Which CPUs the kernel lets the calling thread run on.
pub(crate) fn allowed_list() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    line.trim().to_owned()
}

pub(crate) fn sit_where_they_were_placed() {
    let machine = Topology::detect();
    let places = locality::places(&machine, machine.units().len());
    let mill = Mill::builder().places(places.clone()).build().unwrap();
    let seen = mill.broadcast(|_| (allowed_list(), machine.current_unit().unwrap().os_id, here(&machine)));
    assert_eq!(seen.len(), places.len());
    for ((list, cpu, node), place) in seen.iter().zip(&places) {
        assert_eq!(*list, place.cpus().to_string());
        assert!(place.cpus().contains(*cpu) && *node == place.node(), "CPU {cpu} for {place:?}");
    }
    let seats: Vec<String> = seen.iter().map(|(list, _, node)| format!("{list} (node {node})")).collect();
    println!("  workers on CPU {}", seats.join(", "));
}

pub(crate) fn near_data() {
    let machine = Topology::detect();
    let mill = full(&machine);
    const TIMES: usize = 40;
    for (node, _) in machine.nodes().iter().enumerate().filter(|(_, known)| !known.units.is_empty()) {
        let data = match NodeVec::builder(&machine).nodes([node]).from_fn(100_000, |i| i) {
            Ok(data) => Arc::new(data),
            Err(error) => {
                assert!(error.is_unavailable(), "{error}");
                return println!("  {error}");
            }
        };
        assert_eq!(mill.node_of(&data), Some(node));
        let mut on_node = 0;
        for _ in 0..TIMES {
            let (send, receive) = mpsc::channel();
            let (theirs, machine) = (Arc::clone(&data), machine.clone());
            mill.spawn_near(&data, move || {
                assert_eq!(theirs[99_999], 99_999);
                send.send(here(&machine)).unwrap();
            })
            .unwrap();
            on_node += usize::from(receive.recv().unwrap() == node);
            // Until the mill sleeps: its workers are to be called, rather than to come by.
            std::thread::sleep(Duration::from_millis(3));
        }
        println!("  node {node}: {on_node} of {TIMES} jobs ran there");
        assert!(on_node * 10 >= TIMES * 9, "{on_node} of {TIMES} on node {node}");
    }
}

/// Keeps workers equally fast, whatever the host does: nobody is many items ahead of all others, but for a while.
struct Pace {
    of_workers: Vec<AtomicUsize>,
    all: AtomicUsize,
}

impl Pace {
    fn item(&self, worker: usize) {
        let own = self.of_workers[worker].fetch_add(1, Ordering::SeqCst);
        self.all.fetch_add(1, Ordering::SeqCst);
        let due = (own * self.of_workers.len()).saturating_sub(self.of_workers.len());
        let start = Instant::now();
        while self.all.load(Ordering::SeqCst) < due && start.elapsed() < Duration::from_millis(100) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

pub(crate) fn affinity() {
    const REPEATS: usize = 20;
    let machine = Topology::detect();
    let mill = full(&machine);
    let workers = mill.workers();
    let items = workers * 100;
    let mut affinity = Affinity::new();
    let mut all_kept = Vec::new();
    for _ in 0..=REPEATS {
        let of_workers = (0..workers).map(|_| AtomicUsize::new(0)).collect();
        let pace = Pace { of_workers, all: AtomicUsize::new(0) };
        affinity.par_for_in(&mill, 0..items, |_| pace.item(gristmill::worker_index().unwrap()));
        all_kept.extend(affinity.kept());
    }
    let kept = all_kept.iter().sum::<f64>() / REPEATS as f64;
    println!("  {:.1} % of {items} items went back, over {REPEATS} repeats: {all_kept:.3?}", 100.0 * kept);
    assert_eq!(all_kept.len(), REPEATS);
    assert!(kept >= 0.95, "{kept}");
}

pub(crate) fn cpu_goes_away() {
    let machine = Topology::detect();
    let mill = full(&machine);
    let victim = machine.units().last().unwrap().os_id;
    let (loops, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (theirs, end) = (Arc::clone(&loops), Arc::clone(&stop));
    let theirs_mill = mill.clone();
    let busy = std::thread::spawn(move || {
        while !end.load(Ordering::SeqCst) {
            let sum = theirs_mill
                .install(|| gristmill::par_reduce(0..20_000_u64, || 0, |a, i| a + i, |a, b| a + b));
            assert_eq!(sum, 199_990_000);
            theirs.fetch_add(1, Ordering::SeqCst);
        }
    });
    let go_on = || {
        let start = loops.load(Ordering::SeqCst);
        while loops.load(Ordering::SeqCst) < start + 20 {
            std::thread::yield_now();
        }
    };
    go_on();
    machine::set_online(victim, false).unwrap();
    println!("  CPU {victim} is off");
    go_on();
    // Everybody is reached, the one without its CPU too.
    assert_eq!(mill.broadcast(|worker| worker).len(), mill.workers());
    let left = Topology::detect();
    assert_eq!(left.units().len(), machine.units().len() - 1);
    let error =
        Mill::builder().places(locality::places(&machine, machine.units().len())).build().unwrap_err();
    assert!(matches!(error, BuildError::Pin { .. }), "{error}");
    println!("  {error}");
    assert_eq!(full(&left).install(|| 7), 7);
    machine::set_online(victim, true).unwrap();
    go_on();
    stop.store(true, Ordering::SeqCst);
    busy.join().unwrap();
    mill.shutdown();
    println!("  {} loops meanwhile", loops.load(Ordering::SeqCst));
}
