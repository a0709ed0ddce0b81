//! The machine as libhwloc sees it.
//!
//! Packages, nodes, L3 groups, cores and units come from the library. What its binding does not give (the sizes and
//! distances of nodes, dies, kinds of cores) is taken from sysfs, as long as the library speaks of this machine: it may
//! be told of another one (`HWLOC_SYNTHETIC`, `HWLOC_XMLFILE`). Its nodes are no level of its tree, so they are read from
//! the set of nodes that each unit has.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use hwloc2::{ObjectType, Topology as Tree, TopologyObject};

use crate::topology::cpuset::CpuSet;
use crate::topology::map::{Facts, LOCAL, NodeFacts, REMOTE, Source, Topology, UnitFacts};

/// Why there is no map from libhwloc.
///
/// # Examples
///
/// ```
/// assert!(gristmill::topology::HwlocError::Load.to_string().contains("HWLOC_XMLFILE"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HwlocError {
    /// The library cannot read the machine, or what it was told to read instead.
    #[error(
        "libhwloc cannot read the machine; if HWLOC_XMLFILE or HWLOC_SYNTHETIC is set, look at what it says"
    )]
    Load,
    /// It shows no hardware threads.
    #[error("libhwloc shows a machine without hardware threads")]
    Empty,
}

/// What makes the library speak of another machine.
const ELSEWHERE: [&str; 4] = ["HWLOC_SYNTHETIC", "HWLOC_XMLFILE", "HWLOC_FSROOT", "HWLOC_CPUID_PATH"];

impl Topology {
    /// The machine as libhwloc sees it, with all units that the cgroup allows; no affinity mask is applied. For machines
    /// that sysfs does not describe well, and to compare. Costs some milliseconds.
    ///
    /// Only with the feature `hwloc`, which needs libhwloc 2.0 or later to be installed where it is built and run.
    ///
    /// # Errors
    ///
    /// [`HwlocError`] when the library cannot read the machine.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::topology::Topology;
    ///
    /// let machine = Topology::from_hwloc()?;
    /// assert!(!machine.units().is_empty());
    /// # Ok::<(), gristmill::topology::HwlocError>(())
    /// ```
    pub fn from_hwloc() -> Result<Self, HwlocError> {
        let tree = Tree::new().ok_or(HwlocError::Load)?;
        let here = ELSEWHERE.iter().all(|name| env::var_os(name).is_none());
        let sysfs = if here { Self::from_sysfs(Path::new("/")).ok() } else { None };
        facts(&tree, sysfs.as_ref()).map(Facts::assemble)
    }
}

/// The objects of a type; none if the machine shows none.
fn all<'a>(tree: &'a Tree, kind: &ObjectType) -> Vec<&'a TopologyObject> {
    tree.objects_with_type(kind).unwrap_or_default()
}

fn cpus(object: &TopologyObject) -> CpuSet {
    let ids = object.cpuset().into_iter().flatten().map(|cpu| cpu as usize);
    // A set without an end stands for "all"; no machine has CPUs beyond.
    ids.take_while(|&cpu| cpu <= CpuSet::MAX_ID).collect()
}

fn nodes(object: &TopologyObject) -> Vec<usize> {
    object.nodeset().into_iter().flatten().map(|node| node as usize).take_while(|&node| node < 1024).collect()
}

fn facts(tree: &Tree, sysfs: Option<&Topology>) -> Result<Facts, HwlocError> {
    let mut units: BTreeMap<usize, UnitFacts> = BTreeMap::new();
    for pu in all(tree, &ObjectType::PU) {
        let cpu = pu.os_index() as usize;
        let node = nodes(pu).first().copied().unwrap_or(0);
        let (seen, core) = match sysfs.and_then(|map| Some((map, map.unit(cpu)?))) {
            Some((map, unit)) => (unit.capacity, Some(&map.cores()[unit.core])),
            None => (None, None),
        };
        units.insert(
            cpu,
            UnitFacts {
                node,
                l3: usize::MAX,
                core: cpu,
                die: core.and_then(|core| core.die),
                capacity: seen,
                strength: core.and_then(|core| core.class),
                ..UnitFacts::of(cpu)
            },
        );
    }
    if units.is_empty() {
        return Err(HwlocError::Empty);
    }
    let mut packages = BTreeMap::new();
    type Learn = fn(&mut UnitFacts, usize);
    let levels: [(ObjectType, Learn); 3] = [
        (ObjectType::Package, |unit, key| unit.package = key),
        (ObjectType::L3Cache, |unit, key| unit.l3 = key),
        (ObjectType::Core, |unit, key| unit.core = key),
    ];
    for (level, (kind, learn)) in levels.iter().enumerate() {
        for object in all(tree, kind) {
            let members = cpus(object);
            let Some(key) = members.iter().next() else { continue };
            members.iter().for_each(|cpu| _ = units.get_mut(&cpu).map(|unit| learn(unit, key)));
            if level == 0 {
                packages.insert(key, object.os_index() as usize);
            }
        }
    }

    let mut ids: Vec<usize> = nodes(tree.object_at_root());
    ids.extend(units.values().map(|unit| unit.node));
    ids.sort_unstable();
    ids.dedup();
    let known = |id: &usize| sysfs.and_then(|map| map.nodes().iter().position(|node| node.os_id == *id));
    let memory = |id: &usize| sysfs.and_then(|map| map.nodes()[known(id)?].memory);
    let distance = |from: &usize, to: &usize| match (sysfs, known(from), known(to)) {
        (Some(map), Some(from), Some(to)) => map.distance(from, to),
        _ if from == to => LOCAL,
        _ => REMOTE,
    };
    let distances = ids.iter().flat_map(|from| ids.iter().map(move |to| distance(from, to))).collect();
    let nodes = ids.iter().map(|id| NodeFacts { os_id: *id, memory: memory(id) }).collect();
    Ok(Facts { source: Source::Hwloc, units: units.into_values().collect(), nodes, distances, packages })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What both readers see: everything but where it comes from.
    fn shape(map: &Topology) -> String {
        let nodes: Vec<_> = map.nodes().iter().map(|node| (node.os_id, node.units.clone())).collect();
        let l3s: Vec<_> = map.l3s().iter().map(|l3| (l3.node, l3.package, l3.units.clone())).collect();
        let cores: Vec<_> =
            map.cores().iter().map(|core| (core.l3, core.units.clone(), core.class)).collect();
        let units: Vec<_> = map.units().iter().map(|unit| unit.os_id).collect();
        let packages: Vec<_> = map.packages().iter().map(|package| (package.os_id, &package.cpus)).collect();
        format!("{nodes:?}\n{l3s:?}\n{cores:?}\n{units:?}\n{packages:?}")
    }

    /// Runs the test of this name in a process with a variable set.
    fn again(test: &str, name: &str, value: &str) {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("topology::hwloc::tests::{test}")])
            .env(name, value)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    fn both_see_the_same_machine() {
        if ELSEWHERE.iter().any(|name| env::var_os(name).is_some()) {
            println!("skipped: libhwloc is told of another machine");
            return;
        }
        let mask = Topology::detect().allowed();
        let (theirs, ours) = (Topology::from_hwloc().unwrap(), Topology::detect());
        assert_eq!(theirs.source(), Source::Hwloc);
        let theirs = theirs.restrict(&mask);
        assert_eq!(shape(&theirs), shape(&ours));
        assert_eq!(theirs.nodes(), ours.nodes());
        assert_eq!(theirs.distance(0, 0), ours.distance(0, 0));
    }

    const DESCRIPTION: &str = "pack:2 numa:2 l3:2 core:2 pu:2";

    #[test]
    fn both_see_the_same_synthetic_machine() {
        match env::var("HWLOC_SYNTHETIC") {
            Err(_) => again("both_see_the_same_synthetic_machine", "HWLOC_SYNTHETIC", DESCRIPTION),
            Ok(_) => {
                let (theirs, ours) =
                    (Topology::from_hwloc().unwrap(), Topology::synthetic(DESCRIPTION).unwrap());
                assert_eq!(shape(&theirs), shape(&ours));
            }
        }
    }

    /// One package of two cores of one thread each, under one L3; CPU 1 is not there.
    const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x00000005" complete_cpuset="0x00000005" allowed_cpuset="0x00000005" nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001" gp_index="1">
    <object type="Package" os_index="4" cpuset="0x00000005" complete_cpuset="0x00000005" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="2">
      <object type="NUMANode" os_index="0" cpuset="0x00000005" complete_cpuset="0x00000005" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="3" local_memory="1073741824"/>
      <object type="L3Cache" cpuset="0x00000005" complete_cpuset="0x00000005" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="4" cache_size="33554432" depth="3" cache_linesize="64" cache_associativity="16" cache_type="0">
        <object type="Core" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="5">
          <object type="PU" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="6"/>
        </object>
        <object type="Core" os_index="1" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="7">
          <object type="PU" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="8"/>
        </object>
      </object>
    </object>
  </object>
</topology>
"#;

    #[test]
    fn a_machine_in_a_file() {
        if env::var_os("HWLOC_XMLFILE").is_none() {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, XML).unwrap();
            return again("a_machine_in_a_file", "HWLOC_XMLFILE", file.path().to_str().unwrap());
        }
        let map = Topology::from_hwloc().unwrap();
        assert_eq!((map.allowed().to_string(), map.cores().len(), map.l3s().len()), ("0,2".into(), 2, 1));
        assert_eq!((map.packages()[0].os_id, map.nodes().len(), map.nodes()[0].memory), (Some(4), 1, None));
    }
}
