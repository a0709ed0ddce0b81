//! The machine as `/sys/devices/system` shows it.
//!
//! Files are read once per thing they describe and not once per CPU: a package's list of CPUs covers them
//! all, and so do a core's and a cache's. A machine of 256 CPUs takes about four hundred small files, some 3 ms. Only
//! the list of CPUs must be there; each other file may be missing or malformed and is then made up for, as
//! [`Topology::from_sysfs`] says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use crate::sys::affinity;
use crate::topology::cpuset::CpuSet;
use crate::topology::map::{Facts, LOCAL, MAX_NODES, NodeFacts, REMOTE, Source, Topology, UnitFacts};

impl Topology {
    /// The units that the calling thread may run on, and what the kernel says about them.
    ///
    /// That is this machine, restricted to the thread's affinity mask (which a cgroup's cpuset, `taskset` or
    /// `numactl` may have narrowed). It never fails: where sysfs cannot be read the result is
    /// [`flat`](Self::flat) over the mask, which [`source`](Self::source) shows. Costs well under a
    /// millisecond on small machines and some milliseconds on large ones; keep the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::topology::Topology;
    ///
    /// let machine = Topology::detect();
    /// println!("{} cores on {} NUMA nodes", machine.cores().len(), machine.nodes().len());
    /// assert!(!machine.units().is_empty());
    /// ```
    #[must_use]
    pub fn detect() -> Self {
        match affinity::allowed() {
            Ok(mask) => Self::detect_in(Path::new("/"), &mask.into_iter().collect()),
            // The kernel does not tell our mask. What is online is the next best, and what std thinks the
            // last.
            Err(_) => Self::from_sysfs(Path::new("/")).unwrap_or_else(|_| {
                Self::flat(&(0..std::thread::available_parallelism().map_or(1, usize::from)).collect())
            }),
        }
    }

    fn detect_in(root: &Path, mask: &CpuSet) -> Self {
        // The mask is what the kernel will accept; lists in sysfs may be dressed up (lxcfs does so in
        // containers).
        Reader::new(root).read(Some(mask)).unwrap_or_else(|_| Self::flat(mask))
    }

    /// The whole machine below `root`, where `root` is `/` for this one or holds a copy of another machine's
    /// `sys/devices`. No affinity mask is applied; CPUs that are offline are left out.
    ///
    /// Without `node` directories there is one node, without `cache` directories the units of a package share
    /// an L3, without `topology` directories each unit is a core and all are in one package; distances that
    /// are missing are taken to be 10 and 20.
    ///
    /// # Errors
    ///
    /// What reading `sys/devices/system/cpu` answers, and `NotFound` when there is no CPU in it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// let other = gristmill::topology::Topology::from_sysfs("machines/epyc".as_ref())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_sysfs(root: &Path) -> io::Result<Self> {
        Reader::new(root).read(None)
    }
}

struct Reader {
    /// `sys/devices`.
    devices: PathBuf,
    /// `sys/devices/system/cpu`.
    cpu: PathBuf,
    /// `sys/devices/system/node`.
    node: PathBuf,
    /// The `index` directory in which an L3 was last found.
    l3_index: usize,
}

/// No processor has more `cache/indexN` directories.
const CACHE_INDICES: usize = 16;

impl Reader {
    fn new(root: &Path) -> Self {
        let devices = root.join("sys/devices");
        let (cpu, node) = (devices.join("system/cpu"), devices.join("system/node"));
        Self { devices, cpu, node, l3_index: 3 }
    }

    fn read(mut self, mask: Option<&CpuSet>) -> io::Result<Topology> {
        let cpus = match mask {
            Some(mask) if mask.iter().any(|cpu| self.file(cpu, "").is_dir()) => mask.clone(),
            Some(_) => return Err(self.nothing()),
            None => self.online()?,
        };
        let (nodes, distances, node_of) = self.nodes();
        let kinds = self.kinds();
        let capacities = cpus.iter().next().is_some_and(|cpu| self.file(cpu, "cpu_capacity").is_file());

        let mut packages = BTreeMap::new();
        let mut units: BTreeMap<usize, UnitFacts> = BTreeMap::new();
        let home =
            nodes.iter().find(|node| node_of.values().any(|of| *of == node.os_id)).unwrap_or(&nodes[0]).os_id;
        for cpu in &cpus {
            units.insert(cpu, UnitFacts { node: *node_of.get(&cpu).unwrap_or(&home), ..UnitFacts::of(cpu) });
        }

        // Each pass goes through the CPUs and skips those that an earlier one's list has covered.
        let mut seen = CpuSet::new();
        for cpu in &cpus {
            if !seen.contains(cpu) {
                let mates = self.list(cpu, &["topology/package_cpus_list", "topology/core_siblings_list"]);
                let id = read(&self.file(cpu, "topology/physical_package_id"));
                // A CPU that tells nothing goes with the others that do not.
                let key = mates.as_ref().map(lowest).or(id).unwrap_or(usize::MAX);
                packages.extend(id.map(|id| (key, id)));
                each(&mut units, &mut seen, mates, cpu, |unit| {
                    unit.package = key;
                    unit.l3 = usize::MAX;
                });
            }
        }
        seen = CpuSet::new();
        for cpu in &cpus {
            if !seen.contains(cpu) {
                // A kernel that knows of no dies says so of all CPUs; then the first is asked and no other.
                let Some(mates) = self.list(cpu, &["topology/die_cpus_list"]) else { break };
                let die = read(&self.file(cpu, "topology/die_id"));
                each(&mut units, &mut seen, Some(mates), cpu, |unit| unit.die = die);
            }
        }
        seen = CpuSet::new();
        for cpu in &cpus {
            if !seen.contains(cpu) {
                if let Some(mates) = self.l3(cpu) {
                    let key = lowest(&mates);
                    each(&mut units, &mut seen, Some(mates), cpu, |unit| unit.l3 = key);
                }
            }
        }
        seen = CpuSet::new();
        for cpu in &cpus {
            if !seen.contains(cpu) {
                let mates = self.list(cpu, &["topology/core_cpus_list", "topology/thread_siblings_list"]);
                let key = mates.as_ref().map_or(cpu, lowest);
                let capacity = if capacities { read(&self.file(cpu, "cpu_capacity")) } else { None };
                let kind = kinds.iter().position(|kind| kind.contains(cpu)).map(|kind| kind as u32);
                let strength = if kinds.is_empty() { capacity } else { kind };
                each(&mut units, &mut seen, mates, cpu, |unit| {
                    (unit.core, unit.capacity, unit.strength) = (key, capacity, strength);
                });
            }
        }

        let units = units.into_values().collect();
        Ok(Facts { source: Source::Sysfs, units, nodes, distances, packages }.assemble())
    }

    fn file(&self, cpu: usize, name: &str) -> PathBuf {
        self.cpu.join(format!("cpu{cpu}/{name}"))
    }

    /// The first of these lists that can be read and has `cpu` in it.
    fn list(&self, cpu: usize, names: &[&str]) -> Option<CpuSet> {
        names.iter().find_map(|name| read::<CpuSet>(&self.file(cpu, name)).filter(|list| list.contains(cpu)))
    }

    /// The CPUs that share a third-level cache with this one.
    fn l3(&mut self, cpu: usize) -> Option<CpuSet> {
        let is_l3 = |index: &usize| read(&self.file(cpu, &format!("cache/index{index}/level"))) == Some(3);
        let index = Some(self.l3_index).filter(is_l3).or_else(|| {
            (0..CACHE_INDICES).take_while(|i| self.file(cpu, &format!("cache/index{i}")).is_dir()).find(is_l3)
        })?;
        self.l3_index = index;
        self.list(cpu, &[&format!("cache/index{index}/shared_cpu_list")])
    }

    /// The CPUs that are online: the kernel's list, or else the directories of those that do not say 0.
    fn online(&self) -> io::Result<CpuSet> {
        let cpus = match read::<CpuSet>(&self.cpu.join("online")) {
            Some(list) => list,
            None => numbered(&self.cpu, "cpu")?
                .into_iter()
                .filter(|&cpu| read(&self.file(cpu, "online")) != Some(0))
                .collect(),
        };
        if cpus.is_empty() {
            return Err(self.nothing());
        }
        Ok(cpus)
    }

    fn nothing(&self) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, format!("{}: no CPU is there", self.cpu.display()))
    }

    /// Hybrid x86 processors: the sets of CPUs by kind, weakest first; empty elsewhere.
    fn kinds(&self) -> Vec<CpuSet> {
        let kinds = ["cpu_lowpower", "cpu_atom", "cpu_core"];
        kinds.iter().filter_map(|kind| read(&self.devices.join(kind).join("cpus"))).collect()
    }

    /// The nodes by ascending OS id (at least one), their distances, and the OS id of the node of each CPU.
    fn nodes(&self) -> (Vec<NodeFacts>, Vec<u32>, BTreeMap<usize, usize>) {
        let ids = read::<CpuSet>(&self.node.join("online"))
            .map(|list| list.iter().collect())
            .or_else(|| numbered(&self.node, "node").ok())
            .filter(|ids: &Vec<usize>| ids.len() <= MAX_NODES)
            .unwrap_or_default();
        let mut node_of = BTreeMap::new();
        let (mut nodes, mut distances) = (Vec::new(), Vec::new());
        for (row, &os_id) in ids.iter().enumerate() {
            let dir = self.node.join(format!("node{os_id}"));
            for cpu in read::<CpuSet>(&dir.join("cpulist")).iter().flatten() {
                node_of.insert(cpu, os_id);
            }
            let text = fs::read_to_string(dir.join("distance")).unwrap_or_default();
            let said: Vec<u32> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
            if said.len() == ids.len() {
                distances.extend(said);
            } else {
                distances.extend((0..ids.len()).map(|column| if row == column { LOCAL } else { REMOTE }));
            }
            nodes.push(NodeFacts { os_id, memory: memory(&dir.join("meminfo")) });
        }
        if nodes.is_empty() {
            nodes.push(NodeFacts { os_id: 0, memory: None });
            distances.push(LOCAL);
        }
        (nodes, distances, node_of)
    }
}

/// Applies what was learned from `cpu` to all that share the thing with it.
fn each(
    units: &mut BTreeMap<usize, UnitFacts>,
    seen: &mut CpuSet,
    mates: Option<CpuSet>,
    cpu: usize,
    mut learn: impl FnMut(&mut UnitFacts),
) {
    let mates = mates.unwrap_or_else(|| CpuSet::from_iter([cpu]));
    for mate in mates.iter().filter(|&mate| !seen.contains(mate)) {
        if let Some(unit) = units.get_mut(&mate) {
            learn(unit);
        }
    }
    seen.extend(&mates);
}

fn lowest(cpus: &CpuSet) -> usize {
    cpus.iter().next().unwrap_or(usize::MAX)
}

/// What a file says, if it can be read and makes sense.
fn read<T: FromStr>(file: &Path) -> Option<T> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The numbers of the entries of a directory that are called `prefix` and a number, ascending.
fn numbered(dir: &Path, prefix: &str) -> io::Result<Vec<usize>> {
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number: Option<usize> = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok());
        numbers.extend(number.filter(|&number| number <= CpuSet::MAX_ID));
    }
    Ok(numbers.into_iter().collect())
}

/// The size of a node in bytes, from a line like `Node 0 MemTotal:  4942040 kB`.
fn memory(meminfo: &Path) -> Option<u64> {
    let text = fs::read_to_string(meminfo).ok()?;
    let (_, rest) = text.split_once("MemTotal:")?;
    let kib: u64 = rest.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod machines;
