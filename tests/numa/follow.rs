//! A pool that follows its control group, which the kernel's own files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gristmill::Config;
use gristmill::topology::Topology;

use crate::workers::allowed_list;

/// A follower looks every second; so long none needs to see what it looks at.
const LIMIT: Duration = Duration::from_secs(60);

/// A control group that this process is in until it is dropped.
struct Group {
    /// The folders that hold its quota and its CPUs; one and the same in version 2.
    quota: PathBuf,
    cpus: PathBuf,
    is_second: bool,
}

/// The folder of the group that this process is in, in the hierarchy of a controller; of version 2 if it has no name.
fn own(mount: &str, controller: &str) -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|name| name == controller).then_some(path)
    })?;
    let folder = PathBuf::from(format!("/sys/fs/cgroup{mount}{path}"));
    folder.join("cgroup.procs").exists().then_some(folder)
}

fn write(folder: &Path, file: &str, text: &str) -> Result<(), String> {
    let path = folder.join(file);
    fs::write(&path, text).map_err(|error| format!("{text:?} in {}: {error}", path.display()))
}

impl Group {
    fn enter() -> Result<Self, String> {
        let name = format!("gristmill-{}", std::process::id());
        let second = own("", "").filter(|folder| {
            let has = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
            ["cpu", "cpuset"].iter().all(|wanted| has.split_whitespace().any(|name| name == *wanted))
        });
        let group = if let Some(folder) = second {
            write(&folder, "cgroup.subtree_control", "+cpu +cpuset")?;
            Group { quota: folder.join(&name), cpus: folder.join(&name), is_second: true }
        } else {
            let first = |controller: &str| {
                let folder = own(&format!("/{controller}"), controller);
                folder.ok_or_else(|| format!("there is no control group for {controller}"))
            };
            Group { quota: first("cpu")?.join(&name), cpus: first("cpuset")?.join(&name), is_second: false }
        };
        for folder in group.folders() {
            let made = fs::create_dir(folder);
            made.map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        }
        if !group.is_second {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let above = group.cpus.parent().unwrap().join(file);
                let all =
                    fs::read_to_string(&above).map_err(|error| format!("{}: {error}", above.display()))?;
                write(&group.cpus, file, all.trim())?;
            }
        }
        for folder in group.folders() {
            write(folder, "cgroup.procs", &std::process::id().to_string())?;
        }
        Ok(group)
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.quota, &self.cpus].into_iter().take(if self.is_second { 1 } else { 2 })
    }

    /// So many microseconds in each 100,000; all there are if none.
    fn set_quota(&self, micros: Option<u32>) {
        let text = |none: &str| micros.map_or(none.to_owned(), |micros| micros.to_string());
        let written = match self.is_second {
            true => write(&self.quota, "cpu.max", &text("max")),
            false => write(&self.quota, "cpu.cfs_quota_us", &text("-1")),
        };
        written.unwrap();
    }

    fn set_cpus(&self, cpus: &str) {
        write(&self.cpus, "cpuset.cpus", cpus).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in self.folders() {
            let above = folder.parent().unwrap().to_owned();
            // What cannot be put back is not what is tested here.
            let _ = write(&above, "cgroup.procs", &std::process::id().to_string());
            let _ = fs::remove_dir(folder);
        }
    }
}

fn wait_for(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < LIMIT, "{what} has not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn a_group_that_changes() {
    let machine = Topology::detect();
    let (all, cpus) = (machine.units().len(), machine.allowed().to_string());
    if all < 2 {
        return println!("  skipped: there is only one CPU");
    }
    let group = match Group::enter() {
        Ok(group) => group,
        Err(why) => return println!("  skipped: {why}"),
    };
    let text = "[pool.a]\nworkers = \"threads\"\npin = \"thread\"\nfollow = true";
    let config = Config::builder().text(text).variables([("", ""); 0]).load().unwrap();
    let mill = config.pool("a").unwrap().build().unwrap();
    // Where its threads are, a line for each place; those that are not needed any more stay for a second.
    let seats = || {
        let mut masks = mill.broadcast(|_| allowed_list());
        masks.sort_unstable();
        masks
    };
    let before = seats();
    assert_eq!(before.len(), all, "{before:?}");

    group.set_quota(Some(50_000));
    wait_for("one worker for half a CPU", || mill.workers() == 1);
    println!("  half a CPU granted: {} worker", mill.workers());
    group.set_quota(None);
    wait_for("a worker for each CPU", || mill.workers() == all && seats() == before);

    let last = machine.units().last().unwrap().os_id.to_string();
    group.set_cpus(&last);
    wait_for("one worker on the last CPU", || mill.workers() == 1 && seats() == [last.as_str()]);
    println!("  only CPU {last} left: a worker there");
    group.set_cpus(&cpus);
    wait_for("a worker on each CPU again", || mill.workers() == all && seats() == before);
    println!("  all back: workers on CPU {}", before.join(", "));
    mill.shutdown();
}
