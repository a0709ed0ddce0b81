//! Reading the machine, and a copy of a large one's files.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use gristmill::topology::{CpuSet, Topology};
use tempfile::TempDir;

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use crate::CompareError;

/// A machine of 256 CPUs and 16 nodes; `src/topology/sysfs/machines.rs` says how it is written.
const LARGE: &str = include_str!("../../../src/topology/machines/epyc-cache-nodes.txt");

pub(super) fn contests(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let large = unpack(LARGE)?;
    let turn = move || {
        let read = |root: &Path| {
            let begun = Instant::now();
            black_box(Topology::from_sysfs(root).map_or(0, |map| map.units().len()));
            begun.elapsed().as_secs_f64() * 1e3
        };
        vec![read(Path::new("/")), read(large.path())]
    };
    Ok(vec![Contest {
        contestants: vec![Contestant::new("gristmill", 1, turn)],
        readings: vec![
            Reading::new("topology-here", "ms", &[Goal::AtMost(2.0)]),
            Reading::new("topology-256", "ms", &[Goal::AtMost(20.0)]),
        ],
        enough: None,
    }])
}

fn unpack(description: &str) -> std::io::Result<TempDir> {
    let root = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new())?;
    for line in description.lines() {
        let Some((path, content)) = line.split_once(" = ") else { continue };
        let (before, list, after) =
            match path.split_once('[').and_then(|(a, b)| Some((a, b.split_once(']')?))) {
                Some((before, (list, after))) => (before, list.parse::<CpuSet>().ok(), after),
                None => (path, None, ""),
            };
        let names = match &list {
            Some(numbers) => numbers.iter().map(|number| format!("{before}{number}{after}")).collect(),
            None => vec![path.to_owned()],
        };
        for name in names {
            let file = root.path().join("sys/devices").join(name);
            std::fs::create_dir_all(file.parent().unwrap_or(root.path()))?;
            std::fs::write(file, content)?;
        }
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_machine_is_read() {
        let map = Topology::from_sysfs(unpack(LARGE).unwrap().path()).unwrap();
        assert_eq!((map.nodes().len(), map.units().len()), (16, 256));
    }
}
