use tempfile::TempDir;

use super::*;

fn set(text: &str) -> CpuSet {
    text.parse().unwrap()
}

/// A directory that looks like a machine.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new(online: &str) -> Self {
        let machine = Self { root: TempDir::new().unwrap() };
        machine.write("cpu/online", online);
        for cpu in &set(online) {
            machine.cpu(cpu, "crash_notes", "0");
        }
        machine
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        let file = self.root.path().join("sys/devices/system").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{text}\n")).unwrap();
        self
    }

    fn cpu(&self, cpu: usize, name: &str, text: &str) -> &Self {
        self.write(&format!("cpu/cpu{cpu}/{name}"), text)
    }

    fn package(&self, id: i32, cpus: &str) -> &Self {
        for cpu in &set(cpus) {
            self.cpu(cpu, "topology/physical_package_id", &id.to_string());
            self.cpu(cpu, "topology/package_cpus_list", cpus);
        }
        self
    }

    fn core(&self, cpus: &str) -> &Self {
        for cpu in &set(cpus) {
            self.cpu(cpu, "topology/core_cpus_list", cpus);
        }
        self
    }

    /// A third-level cache in `cache/index3`, and the smaller ones before it.
    fn l3(&self, cpus: &str) -> &Self {
        for cpu in &set(cpus) {
            for (index, level, shared) in
                [(0, 1, &*cpu.to_string()), (1, 1, &cpu.to_string()), (2, 2, &cpu.to_string()), (3, 3, cpus)]
            {
                self.cpu(cpu, &format!("cache/index{index}/level"), &level.to_string());
                self.cpu(cpu, &format!("cache/index{index}/shared_cpu_list"), shared);
            }
        }
        self
    }

    fn node(&self, id: usize, cpus: &str, kib: u64, distance: &str) -> &Self {
        self.write(&format!("node/node{id}/cpulist"), cpus);
        self.write(&format!("node/node{id}/distance"), distance);
        let text = format!("Node {id} MemTotal:    {kib} kB\nNode {id} MemFree:     12 kB");
        self.write(&format!("node/node{id}/meminfo"), &text)
    }

    fn read(&self) -> Topology {
        Topology::from_sysfs(self.root.path()).unwrap()
    }

    /// Reads below a mask, which must come to the same as to restrict what was read.
    fn read_in(&self, mask: &str) -> Topology {
        let map = Topology::detect_in(self.root.path(), &set(mask));
        assert_eq!(map, self.read().restrict(&set(mask)));
        map
    }
}

fn cpus_of_nodes(map: &Topology) -> Vec<String> {
    map.nodes().iter().map(|node| map.cpus(node.units.clone()).to_string()).collect()
}

fn cpus_of_l3s(map: &Topology) -> Vec<String> {
    map.l3s().iter().map(|l3| map.cpus(l3.units.clone()).to_string()).collect()
}

fn cpus_of_cores(map: &Topology) -> Vec<String> {
    map.cores().iter().map(|core| map.cpus(core.units.clone()).to_string()).collect()
}

#[test]
fn a_virtual_machine_of_one_node() {
    let machine = Machine::new("0-1");
    machine.package(0, "0-1").core("0").core("1").l3("0-1");
    machine.write("node/online", "0").node(0, "0-1", 4_942_040, "10");
    machine.cpu(0, "cpu_capacity", "1024").cpu(1, "cpu_capacity", "1024");
    let map = machine.read();
    assert_eq!(map.source(), Source::Sysfs);
    assert_eq!((map.packages().len(), map.l3s().len(), map.cores().len(), map.units().len()), (1, 1, 2, 2));
    assert_eq!(map.nodes()[0].memory, Some(4_942_040 * 1024));
    assert_eq!(map.packages()[0].os_id, Some(0));
    assert_eq!((map.units()[1].capacity, map.cores()[1].class), (Some(1024), None));
}

/// Two sockets, eight threads each; siblings are 8 apart, as Linux numbers them.
fn two_sockets() -> Machine {
    let machine = Machine::new("0-15");
    for (package, cpus) in [(0, "0-3,8-11"), (1, "4-7,12-15")] {
        machine.package(package, cpus).l3(cpus);
    }
    for core in 0..8 {
        machine.core(&format!("{core},{}", core + 8));
    }
    machine.write("node/online", "0-1");
    machine.node(0, "0-3,8-11", 1 << 20, "10 21").node(1, "4-7,12-15", 1 << 21, "21 10");
    machine
}

#[test]
fn two_sockets_with_smt() {
    let map = two_sockets().read();
    assert_eq!((map.packages().len(), map.nodes().len(), map.l3s().len(), map.cores().len()), (2, 2, 2, 8));
    assert_eq!(cpus_of_cores(&map)[..3], ["0,8", "1,9", "2,10"]);
    assert_eq!(cpus_of_nodes(&map), ["0-3,8-11", "4-7,12-15"]);
    assert_eq!((map.distance(0, 0), map.distance(0, 1)), (10, 21));
    let (unit, sibling) = (map.unit(5).unwrap(), map.unit(13).unwrap());
    assert_eq!((unit.core, unit.package, unit.node), (sibling.core, 1, 1));
}

#[test]
fn a_mask_narrows_what_is_read() {
    let map = two_sockets().read_in("3,5-6,13");
    assert_eq!(cpus_of_cores(&map), ["3", "5,13", "6"]);
    assert_eq!(cpus_of_nodes(&map), ["3", "5-6,13"]);
    let map = two_sockets().read_in("12");
    assert_eq!((map.packages().len(), map.nodes().len()), (1, 2));
    assert_eq!((map.packages()[0].os_id, map.nodes()[0].units.len()), (Some(1), 0));
    assert_eq!((map.units()[0].node, map.nodes()[0].memory), (1, Some(1 << 30)));
}

#[test]
fn an_epyc_with_several_l3s_in_a_node() {
    let machine = Machine::new("0-31");
    machine.package(0, "0-31").write("node/online", "0-1");
    for l3 in 0..4 {
        let (low, high) = (l3 * 4, l3 * 4 + 16);
        machine.l3(&format!("{low}-{},{high}-{}", low + 3, high + 3));
        (low..low + 4).for_each(|core| _ = machine.core(&format!("{core},{}", core + 16)));
    }
    machine.node(0, "0-7,16-23", 1, "10 12").node(1, "8-15,24-31", 1, "12 10");
    let map = machine.read();
    assert_eq!((map.packages().len(), map.nodes().len(), map.cores().len()), (1, 2, 16));
    assert_eq!(cpus_of_l3s(&map), ["0-3,16-19", "4-7,20-23", "8-11,24-27", "12-15,28-31"]);
    assert_eq!(map.l3s().iter().map(|l3| l3.node).collect::<Vec<_>>(), [0, 0, 1, 1]);
    assert_eq!(machine.read_in("7,9-10,23").l3s().len(), 2);
}

#[test]
fn a_cache_that_spans_nodes_is_one_in_each() {
    let machine = Machine::new("0-3");
    machine.package(0, "0-3").l3("0-3").write("node/online", "0-1");
    machine.node(0, "0-1", 1, "10 11").node(1, "2-3", 1, "11 10");
    assert_eq!(cpus_of_l3s(&machine.read()), ["0-1", "2-3"]);
}

#[test]
fn a_node_of_memory_alone() {
    let machine = Machine::new("0-3");
    machine.package(0, "0-3").l3("0-3").write("node/online", "0,2,5");
    machine.node(0, "0-1", 8, "10 14 20").node(2, "", 64, "14 10 30").node(5, "2-3", 0, "20 30 10");
    let map = machine.read();
    assert_eq!(map.nodes().iter().map(|node| node.os_id).collect::<Vec<_>>(), [0, 2, 5]);
    assert_eq!(cpus_of_nodes(&map), ["0-1", "", "2-3"]);
    assert_eq!((map.nodes()[1].memory, map.nodes()[2].memory), (Some(64 << 10), Some(0)));
    assert_eq!((map.distance(2, 1), map.units()[3].node), (30, 2));
}

#[test]
fn ids_with_holes_that_do_not_start_at_0() {
    let machine = Machine::new("4-5,36,1000");
    // CPU 6 is offline: its directory is there and says nothing.
    machine.cpu(6, "online", "0").package(3, "4-5,36,1000").core("4,36").core("5").core("1000");
    machine.write("node/online", "7").node(7, "4-6,36,1000", 1, "10");
    let map = machine.read();
    assert_eq!(cpus_of_cores(&map), ["4,36", "5", "1000"]);
    assert_eq!((map.allowed(), map.nodes()[0].os_id), (set("4-5,36,1000"), 7));
    assert_eq!(machine.read_in("36,1000").cores().len(), 2);
}

#[test]
fn a_machine_that_tells_nothing_but_its_cpus() {
    let machine = Machine::new("0-3");
    let map = machine.read();
    assert_eq!((map.packages().len(), map.nodes().len(), map.l3s().len(), map.cores().len()), (1, 1, 1, 4));
    assert_eq!((map.packages()[0].os_id, map.nodes()[0].memory), (None, None));

    // No L3 and no nodes: a package is all there is to share.
    machine.package(0, "0-1").package(1, "2-3").core("0-1");
    let map = machine.read();
    assert_eq!((cpus_of_l3s(&map), map.nodes().len()), (vec!["0-1".to_owned(), "2-3".to_owned()], 1));
    assert_eq!(cpus_of_cores(&map), ["0-1", "2", "3"]);
}

#[test]
fn without_lists_the_directories_count() {
    let machine = Machine::new("0-2");
    fs::remove_file(machine.root.path().join("sys/devices/system/cpu/online")).unwrap();
    machine.cpu(1, "online", "0").cpu(2, "online", "1").write("cpu/cpufreq/boost", "1");
    for (cpu, package) in [(0, "0"), (2, "1")] {
        machine.cpu(cpu, "topology/physical_package_id", package);
    }
    machine.node(3, "0-2", 1, "not a number").node(1, "", 1, "10");
    let map = machine.read();
    assert_eq!((map.allowed(), map.packages().len()), (set("0,2"), 2));
    assert_eq!(cpus_of_nodes(&map), ["", "0,2"]);
    assert_eq!([map.distance(0, 0), map.distance(0, 1), map.distance(1, 0)], [10, 20, 20]);
}

#[test]
fn older_names_and_other_cache_indices() {
    let machine = Machine::new("0-1");
    for cpu in 0..2 {
        machine.cpu(cpu, "topology/core_siblings_list", "0-1");
        machine.cpu(cpu, "topology/thread_siblings_list", "0-1");
        machine.cpu(cpu, "cache/index0/level", "1").cpu(cpu, "cache/index1/level", "3");
        machine.cpu(cpu, "cache/index1/shared_cpu_list", &cpu.to_string());
    }
    let map = machine.read();
    assert_eq!((map.packages().len(), map.l3s().len()), (1, 2));
    machine.l3("0-1");
    machine.cpu(0, "cache/index1/level", "2").cpu(1, "cache/index1/level", "2");
    assert_eq!(cpus_of_cores(&machine.read()), ["0-1"]);
}

#[test]
fn kinds_of_cores() {
    let machine = Machine::new("0-3");
    for (cpu, capacity) in [(0, "446"), (1, "446"), (2, "871"), (3, "1024")] {
        machine.cpu(cpu, "cpu_capacity", capacity);
    }
    let map = machine.read();
    assert_eq!(map.cores().iter().map(|core| core.class).collect::<Vec<_>>(), [0, 0, 1, 2].map(Some));
    assert_eq!(map.units()[2].capacity, Some(871));
    assert_eq!(machine.read_in("0-1").cores()[0].class, None);

    // A hybrid x86 machine has its kinds by name; small differences of capacity mean nothing there.
    machine.write("../cpu_core/cpus", "2-3").write("../cpu_atom/cpus", "0-1");
    assert_eq!(
        machine.read().cores().iter().map(|core| core.class).collect::<Vec<_>>(),
        [0, 0, 1, 1].map(Some)
    );
}

#[test]
fn what_cannot_be_read_is_flat() {
    let empty = TempDir::new().unwrap();
    assert_eq!(Topology::from_sysfs(empty.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
    let map = Topology::detect_in(empty.path(), &set("2,9"));
    assert_eq!((map.source(), map.allowed()), (Source::Flat, set("2,9")));

    // A list that is dressed up does not hide what the mask allows.
    let machine = two_sockets();
    machine.write("cpu/online", "0-1");
    assert_eq!(Topology::detect_in(machine.root.path(), &set("6,14")).cores().len(), 1);
    // A tree without any of our CPUs is no map of them.
    assert_eq!(Topology::detect_in(machine.root.path(), &set("77")).source(), Source::Flat);
}

#[test]
fn broken_files_do_no_harm() {
    let machine = two_sockets();
    machine.package(0, "0-15");
    for name in ["core_cpus_list", "package_cpus_list", "physical_package_id"] {
        machine.cpu(3, &format!("topology/{name}"), "9-2,x");
    }
    machine.cpu(9, "cache/index3/level", "").cpu(2, "cache/index3/shared_cpu_list", "77");
    machine.node(1, "oops", 0, "10 20 30").write("node/node0/meminfo", "MemTotal: lots");
    let map = machine.read();
    assert_eq!((map.units().len(), map.nodes().len()), (16, 2));
    machine.write("node/online", "0-4000");
    assert_eq!(machine.read().nodes().len(), 1);
    machine.write("cpu/online", "?");
    assert_eq!(machine.read().units().len(), 16);
}

#[test]
fn this_machine() {
    let map = Topology::detect();
    assert_eq!(map.allowed(), affinity::allowed().unwrap().into_iter().collect());
    assert!(map.current_unit().is_some());
}
