use tempfile::TempDir;

use super::*;

/// A root directory with `/proc/self` and cgroup files.
struct Root(TempDir);

impl Root {
    fn new(cgroup: &str, mountinfo: &str) -> Self {
        let root = Self(TempDir::new().unwrap());
        root.write("/proc/self/cgroup", cgroup).write("/proc/self/mountinfo", mountinfo);
        root
    }

    fn file(&self, file: &str) -> PathBuf {
        self.0.path().join(file.trim_start_matches('/'))
    }

    fn write(&self, file: &str, text: &str) -> &Self {
        fs::create_dir_all(self.file(file).parent().unwrap()).unwrap();
        fs::write(self.file(file), text).unwrap();
        self
    }

    fn v1(&self, dir: &str, quota: &str, period: &str) -> &Self {
        self.write(&format!("{dir}/cpu.cfs_quota_us"), quota)
            .write(&format!("{dir}/cpu.cfs_period_us"), period)
    }

    fn v2(&self, dir: &str, max: &str) -> &Self {
        self.write(&format!("{dir}/cpu.max"), max)
    }

    /// The quota and the file, as seen from inside.
    fn quota(&self) -> Option<(f64, String)> {
        let quota = cpu_quota(self.0.path())?;
        let file = Path::new("/").join(quota.file.strip_prefix(self.0.path()).unwrap());
        Some((quota.cpus, file.to_str().unwrap().to_owned()))
    }
}

fn found(cpus: f64, file: &str) -> Option<(f64, String)> {
    Some((cpus, file.to_owned()))
}

const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1: &str = "33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

#[test]
fn version_2_of_all_ancestors_the_least() {
    let root = Root::new("0::/a.slice/b.scope/c\n", V2);
    assert_eq!(root.quota(), None);
    root.v2("/sys/fs/cgroup/a.slice/b.scope/c", "400000 100000\n");
    assert_eq!(root.quota(), found(4.0, "/sys/fs/cgroup/a.slice/b.scope/c/cpu.max"));
    root.v2("/sys/fs/cgroup/a.slice", "75000 50000\n");
    assert_eq!(root.quota(), found(1.5, "/sys/fs/cgroup/a.slice/cpu.max"));
    root.v2("/sys/fs/cgroup/a.slice", "max 100000\n").v2("/sys/fs/cgroup/a.slice/b.scope", "300000");
    assert_eq!(root.quota(), found(3.0, "/sys/fs/cgroup/a.slice/b.scope/cpu.max"));
    // Neither a sibling's limit nor a child's is ours.
    root.v2("/sys/fs/cgroup/a.slice/other", "1000 100000")
        .v2("/sys/fs/cgroup/a.slice/b.scope/c/d", "1000 100000");
    assert_eq!(root.quota().unwrap().0, 3.0);
}

#[test]
fn version_1_of_all_ancestors_the_least() {
    let root = Root::new("5:cpuset:/x\n4:cpu,cpuacct:/a/b\n1:name=systemd:/cpu\n", V1);
    let top = "/sys/fs/cgroup/cpu,cpuacct";
    root.v1(top, "-1\n", "100000\n").v1(&format!("{top}/a/b"), "-1\n", "100000\n");
    assert_eq!(root.quota(), None);
    root.v1(&format!("{top}/a"), "250000\n", "100000\n");
    assert_eq!(root.quota(), found(2.5, &format!("{top}/a/cpu.cfs_quota_us")));
    root.v1(&format!("{top}/a/b"), "10000\n", "100000\n");
    assert_eq!(root.quota(), found(0.1, &format!("{top}/a/b/cpu.cfs_quota_us")));
    // Without a period there is no telling.
    fs::remove_file(root.file(&format!("{top}/a/b/cpu.cfs_period_us"))).unwrap();
    assert_eq!(root.quota().unwrap().0, 2.5);
}

#[test]
fn hybrid_takes_the_least_of_both() {
    let mounts = format!("{V1}35 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    let root = Root::new("1:cpu:/one\n0::/two\n", &mounts);
    root.v1("/sys/fs/cgroup/cpu,cpuacct/one", "300000", "100000");
    assert_eq!(root.quota().unwrap().0, 3.0);
    root.v2("/sys/fs/cgroup/unified/two", "200000 100000");
    assert_eq!(root.quota(), found(2.0, "/sys/fs/cgroup/unified/two/cpu.max"));
    root.v1("/sys/fs/cgroup/cpu,cpuacct", "50000", "100000");
    assert_eq!(root.quota(), found(0.5, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"));
    // The path in one hierarchy means nothing in the other.
    root.v2("/sys/fs/cgroup/unified/one", "1000 100000");
    assert_eq!(root.quota().unwrap().0, 0.5);
}

#[test]
fn a_container_sees_a_part_of_the_hierarchy() {
    let mounts = "33 31 0:29 /docker/1f /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
    let root = Root::new("4:cpu:/docker/1f/job\n", mounts);
    root.v1("/sys/fs/cgroup/cpu", "150000", "100000");
    assert_eq!(root.quota(), found(1.5, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"));
    root.v1("/sys/fs/cgroup/cpu/job", "50000", "100000").v1("/sys/fs/cgroup/cpu/docker/1f", "1", "100000");
    assert_eq!(root.quota(), found(0.5, "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us"));

    // A process of another container: what is mounted is not above it. `/docker/1` is no parent of
    // `/docker/1f`.
    root.write("/proc/self/cgroup", "4:cpu:/docker/2c\n");
    assert_eq!(root.quota(), None);
    root.write("/proc/self/cgroup", "4:cpu:/docker/1fff\n");
    assert_eq!(root.quota(), None);
}

#[test]
fn a_cgroup_namespace() {
    // The namespace's root is mounted: only the part of the path inside is shown, and it is all there is.
    let root = Root::new("0::/\n", V2);
    root.v2("/sys/fs/cgroup", "50000 100000");
    assert_eq!(root.quota().unwrap().0, 0.5);
    // A mount from outside shows an ancestor.
    root.write("/proc/self/mountinfo", &V2.replace(" / /sys", " /../.. /sys"));
    assert_eq!(root.quota().unwrap().0, 0.5);
    // We are outside of the namespace that is mounted.
    root.write("/proc/self/mountinfo", V2).write("/proc/self/cgroup", "0::/../../etc\n");
    assert_eq!(root.quota(), None);
    root.write("/proc/self/cgroup", "0::/a/../../b\n");
    assert_eq!(root.quota(), None);
}

#[test]
fn names_are_unescaped() {
    let mounts =
        r"30 23 0:26 /my\040slice /mnt/c\134g\011roup rw master:1 propagate_from:2 - cgroup2 none rw";
    let root = Root::new("0::/my slice/it (deleted)\n", mounts);
    root.v2("/mnt/c\\g\troup/it", "600000 100000");
    assert_eq!(root.quota(), found(6.0, "/mnt/c\\g\troup/it/cpu.max"));
    assert_eq!(unescape(br"\1\400\08a\0401\"), Path::new("\\1\\400\\08a 1\\"));
}

#[test]
fn malformed_lines_are_passed_over() {
    for (cgroup, mounts) in [
        ("", V2),
        ("0::", ""),
        ("nonsense\n0\n:\n::\n0:\n0:cpu\n\n", V2),
        (
            "0::/a",
            "nonsense\n1 2 3\n1 2 3 / /m\n1 2 3 / /m rw -\n1 2 3 / /m rw - cgroup2\n - - - - - - - - \n",
        ),
        ("0::/a", "1 2 3 / /m rw - cgroup cgroup rw,cpuset,cpuacct"),
    ] {
        let root = Root::new(cgroup, mounts);
        root.v2("/m", "1000 100000").v1("/m", "1000", "100000");
        assert_eq!(root.quota(), None, "{cgroup:?} {mounts:?}");
    }
    // What is readable among it still counts.
    let root = Root::new("x\n0::/a\n", &format!("y\n{V2}z"));
    for max in
        ["", "max", "0 100000", "100000 0", "-5 100000", "1e5 100000", "\n", "99999999999999999999999 1"]
    {
        assert_eq!(root.v2("/sys/fs/cgroup/a", max).quota(), None, "{max:?}");
    }
    assert_eq!(root.v2("/sys/fs/cgroup/a", "100000 100000 new").quota().unwrap().0, 1.0);
    fs::write(root.file("/proc/self/cgroup"), b"\xff\xfe:\xff:\xff\n0::/a\n").unwrap();
    assert_eq!(root.quota().unwrap().0, 1.0);
    assert_eq!(cpu_quota(Path::new("/nowhere/at/all")), None);
}

fn threads(root: &Root, units: usize, setting: Option<&str>) -> ThreadCount {
    default_threads_in(root.0.path(), &(3..3 + units).collect(), setting.map(OsStr::new))
}

#[test]
fn the_mask_or_the_quota_whichever_is_less() {
    let root = Root::new("0::/a", V2);
    let count = threads(&root, 8, None);
    assert_eq!((count.count, count.why, count.allowed, &count.quota), (8, Why::Mask, Some(8), &None));
    assert_eq!(count.to_string(), "8: the affinity mask of this thread");
    for (max, units, answer, why) in [
        ("400000 100000", 8, 4, Why::Quota),
        ("400001 100000", 8, 5, Why::Quota),
        ("100001 100000", 2, 2, Why::Mask),
        ("1000 100000", 8, 1, Why::Quota),
        ("800000 100000", 8, 8, Why::Mask),
        ("18446744073709551615 1", 8, 8, Why::Mask),
        ("50000 100000", 0, 1, Why::Mask),
    ] {
        let count = threads(root.v2("/sys/fs/cgroup/a", max), units, None);
        assert_eq!((count.count, count.why), (answer, why), "{max} with {units}");
        assert!(count.quota.is_some());
    }
    let count = threads(root.v2("/sys/fs/cgroup/a", "150000 100000"), 8, None);
    let text = count.to_string();
    assert!(text.starts_with("2: the CPU quota of 1.50, rounded up, in "), "{text}");
    assert!(text.ends_with("/sys/fs/cgroup/a/cpu.max"), "{text}");
}

#[test]
fn the_setting_goes_first() {
    let root = Root::new("0::/a", V2);
    root.v2("/sys/fs/cgroup/a", "200000 100000");
    for asked in ["64", " 64\n"] {
        let count = threads(&root, 4, Some(asked));
        assert_eq!((count.count, count.why, &count.rejected), (64, Why::Setting, &None));
        assert_eq!(count.to_string(), "64: GRISTMILL_NUM_THREADS asks for it");
    }
    for bad in ["", "0", "-1", "four", "4.5", "65537", "99999999999999999999999"] {
        let count = threads(&root, 4, Some(bad));
        assert_eq!((count.count, count.why), (2, Why::Quota), "{bad}");
        assert_eq!(count.rejected.as_ref().map(|rejected| &*rejected.value), Some(bad));
        assert!(
            count.to_string().contains("is ignored: it is not a whole number from 1 to 65536"),
            "{count}"
        );
    }
}

#[test]
fn with_nothing_known_one_thread_runs() {
    let empty = TempDir::new().unwrap();
    let count = decide(empty.path(), None, None);
    assert_eq!((count.count, count.why, count.allowed), (1, Why::Unknown, None));
    let root = Root::new("0::/a", V2);
    root.v2("/sys/fs/cgroup/a", "18446744073709551615 1");
    assert_eq!(decide(root.0.path(), None, None).count, MAX_THREADS);
}

#[test]
fn this_machine() {
    let count = default_threads();
    assert!(count.count >= 1 && count.allowed.is_some());
}
