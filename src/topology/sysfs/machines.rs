//! The files of other machines, as they stand in the folder `machines`, and what is read from them.

use std::time::Instant;

use tempfile::TempDir;

use super::*;

/// Writes the files of a machine below a folder. A line is `PATH = CONTENT`; the path begins at `sys/devices`, and a
/// list of numbers in brackets stands for as many files.
fn unpack(description: &str) -> TempDir {
    // Thousands of small files: in memory, where there is such a folder.
    let root = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    for line in description.lines().filter(|line| !line.starts_with('#')) {
        let (path, content) = line.split_once(" = ").unwrap_or_else(|| panic!("`{line}` has no ` = `"));
        let mut paths = vec![path.to_owned()];
        if let Some((before, rest)) = path.split_once('[') {
            let (list, after) = rest.split_once(']').unwrap();
            let numbers: CpuSet = list.parse().unwrap();
            paths = numbers.iter().map(|number| format!("{before}{number}{after}")).collect();
        }
        for path in paths {
            let file = root.path().join("sys/devices").join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!("{content}\n")).unwrap();
        }
    }
    root
}

macro_rules! machine {
    ($name:literal) => {
        Topology::from_sysfs(unpack(include_str!(concat!("../machines/", $name, ".txt"))).path()).unwrap()
    };
}

/// How many packages, nodes, L3 groups, cores and units there are.
fn counts(map: &Topology) -> [usize; 5] {
    [map.packages().len(), map.nodes().len(), map.l3s().len(), map.cores().len(), map.units().len()]
}

fn set(text: &str) -> CpuSet {
    text.parse().unwrap()
}

#[test]
fn two_sockets() {
    let map = machine!("two-sockets");
    assert_eq!(counts(&map), [2, 2, 2, 40, 80]);
    assert_eq!(map.cpus(map.cores()[1].units.clone()), set("2,42"));
    assert!(map.cpus(map.nodes()[1].units.clone()).iter().all(|cpu| cpu % 2 == 1));
    assert_eq!((map.distance(0, 1), map.distance(1, 1)), (21, 10));
    assert_eq!(map.nodes()[0].memory, Some(196_608_000 << 10));
}

#[test]
fn an_epyc_whose_caches_are_nodes() {
    let root = unpack(include_str!("../machines/epyc-cache-nodes.txt"));
    let begun = Instant::now();
    let map = Topology::from_sysfs(root.path()).unwrap();
    // For whoever asks (`--nocapture`); nothing depends on it.
    println!("256 CPUs in {:?}", begun.elapsed());
    assert_eq!(counts(&map), [2, 16, 16, 128, 256]);
    assert_eq!(map.cpus(map.l3s()[15].units.clone()), set("120-127,248-255"));
    assert_eq!([map.distance(0, 1), map.distance(0, 2), map.distance(0, 8)], [11, 12, 32]);
    assert!(map.cores().iter().all(|core| core.units.len() == 2 && core.class.is_none()));
}

#[test]
fn two_kinds_of_cores() {
    let map = machine!("hybrid");
    assert_eq!(counts(&map), [1, 1, 1, 16, 24]);
    let strong = |unit: usize| map.cores()[map.unit(unit).unwrap().core].class;
    assert_eq!([strong(0), strong(15), strong(16), strong(23)], [Some(1), Some(1), Some(0), Some(0)]);
    assert_eq!(map.cpus(map.cores()[7].units.clone()), set("14-15"));
}

#[test]
fn three_kinds_of_cores() {
    let map = machine!("three-kinds");
    assert_eq!(counts(&map), [1, 1, 1, 8, 8]);
    let classes: Vec<_> = map.cores().iter().map(|core| core.class.unwrap()).collect();
    assert_eq!(classes, [0, 0, 0, 0, 1, 1, 1, 2]);
    assert_eq!((map.units()[7].capacity, map.nodes()[0].memory), (Some(1024), None));
}

#[test]
fn a_virtual_machine() {
    let map = machine!("vm");
    assert_eq!(counts(&map), [1, 1, 1, 2, 2]);
    assert_eq!(map.cores()[1].die, Some(0));
}

#[test]
fn nodes_of_memory_alone_and_dies() {
    let map = machine!("memory-nodes");
    assert_eq!(counts(&map), [2, 5, 2, 8, 8]);
    let nodes: Vec<_> = map.nodes().iter().map(|node| (node.os_id, node.units.len())).collect();
    assert_eq!(nodes, [(0, 4), (1, 4), (2, 0), (3, 0), (5, 0)]);
    assert_eq!([map.distance(0, 2), map.distance(0, 4), map.distance(1, 4)], [17, 24, 34]);
    let dies: Vec<_> = map.cores().iter().map(|core| core.die.unwrap()).collect();
    assert_eq!(dies, [0, 0, 1, 1, 0, 0, 1, 1]);
    assert_eq!(
        map.restrict(&set("2,5")).cores().iter().map(|core| core.die).collect::<Vec<_>>(),
        [Some(1), Some(0)]
    );
}

#[test]
fn smt_switched_off_leaves_holes() {
    let map = machine!("power-offline");
    assert_eq!(counts(&map), [2, 6, 22, 44, 44]);
    assert_eq!(map.cpus(map.l3s()[0].units.clone()), set("0,4"));
    let nodes: Vec<_> = map.nodes().iter().map(|node| (node.os_id, node.units.len())).collect();
    assert_eq!(nodes, [(0, 22), (8, 22), (252, 0), (253, 0), (254, 0), (255, 0)]);
    assert_eq!((map.unit(1), map.unit(88).unwrap().node), (None, 1));
    assert_eq!((map.distance(0, 1), map.cores()[0].die), (40, None));
}

#[test]
fn cpus_that_do_not_start_at_0() {
    let map = machine!("holes");
    assert_eq!(counts(&map), [1, 2, 2, 4, 5]);
    assert_eq!((map.allowed(), map.unit(6)), (set("4-5,36,38,1000"), None));
    assert_eq!((map.nodes()[0].units.len(), map.nodes()[0].memory), (0, Some(0)));
    assert_eq!(map.cpus(map.cores()[map.unit(36).unwrap().core].units.clone()), set("4,36"));
}
