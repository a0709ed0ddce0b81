//! Mills whose workers are pinned.

use gristmill::locality::{Place, Tier};
use gristmill::topology::Topology;
use gristmill::{BuildError, Mill, join, scope, worker_index};

use crate::suite::watch::watch;

fn places() -> Vec<Place> {
    let machine = Topology::detect();
    gristmill::locality::places(&machine, machine.units().len().min(4))
}

#[test]
fn callers_from_outside_hand_their_work_over() {
    let _watched = watch("callers_from_outside_hand_their_work_over");
    let mill = Mill::builder().places(places()).name("pinned").build().unwrap();
    assert_eq!(mill.workers(), places().len());
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for round in 0..100 {
                    let (name, (a, b)) = mill.install(|| {
                        let name = std::thread::current().name().map(str::to_owned);
                        assert!(worker_index().is_some());
                        (name, join(|| round, || round + 1))
                    });
                    assert!(name.unwrap().starts_with("gm-pinned-"));
                    assert_eq!((a, b), (round, round + 1));
                }
            });
        }
    });
    let affinity = mill.broadcast(|_| {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.unwrap().trim().to_owned()
    });
    let expected: Vec<_> = places().iter().map(|place| place.cpus().to_string()).collect();
    assert_eq!(affinity, expected);
}

#[test]
fn blocked_pinned_workers_are_stood_in_for() {
    let _watched = watch("blocked_pinned_workers_are_stood_in_for");
    let mill = Mill::builder().places(places()[..1].to_vec()).build().unwrap();
    for _ in 0..50 {
        let (send, receive) = std::sync::mpsc::channel();
        let got = mill.install(move || {
            gristmill::spawn(move || send.send(5).unwrap());
            gristmill::blocking(|| receive.recv())
        });
        assert_eq!(got, Ok(5));
    }
}

#[test]
fn a_cpu_that_is_not_there_is_an_error() {
    let _watched = watch("a_cpu_that_is_not_there_is_an_error");
    let machine = Topology::detect();
    let missing = Place::new(&machine, [8_000].into_iter().collect());
    let good = places().remove(0);
    for places in [vec![missing.clone()], vec![good, missing]] {
        let number = places.len() - 1;
        match Mill::builder().places(places).name("nowhere").build() {
            Err(BuildError::Pin { worker, cpus, .. }) => {
                assert_eq!((worker, cpus.to_string()), (number, "8000".into()))
            }
            other => panic!("{other:?}"),
        }
    }
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        assert!(!name.starts_with("gm-nowhere"), "{name} was left behind");
    }
}

#[test]
fn a_mill_planned_for_another_machine_works_here() {
    let _watched = watch("a_mill_planned_for_another_machine_works_here");
    let machine = Topology::synthetic("node:4 l3:2 core:2").unwrap();
    let mill = Mill::builder().topology(machine).workers(8).build().unwrap();
    let nodes = std::sync::Mutex::new(vec![0; 4]);
    for round in 0..50 {
        let sum = mill.install(|| {
            let mut parts = [0; 16];
            scope(|s| {
                for (i, part) in parts.iter_mut().enumerate() {
                    s.spawn(move |_| *part = i + round);
                }
            });
            parts.iter().sum::<usize>()
        });
        assert_eq!(sum, 120 + 16 * round);
    }
    std::thread::scope(|_| {
        for node in 0..4 {
            let (send, receive) = std::sync::mpsc::channel();
            mill.spawn_on(node, move || send.send(node).unwrap()).unwrap();
            nodes.lock().unwrap()[receive.recv().unwrap()] += 1;
        }
    });
    assert_eq!(*nodes.lock().unwrap(), [1; 4]);
    let steals = mill.stats().total().steals;
    assert_eq!(steals.len(), Tier::COUNT);
}
