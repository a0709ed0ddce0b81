//! How much processor time the cgroups above us grant, and how many threads are worth starting.
//!
//! A quota binds a process wherever it stands on the way from its own cgroup up to the root: each ancestor's
//! limit is a limit. So all of them are read, in version 1 (`cpu.cfs_quota_us` over `cpu.cfs_period_us`),
//! version 2 (`cpu.max`) and where both are mounted, and the smallest counts. `/proc/self/cgroup` says where
//! we are in each hierarchy, `/proc/self/mountinfo` where that hierarchy can be seen, which in a container is
//! often only a part of it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::{env, fmt, fs};

use crate::sys::affinity;
use crate::topology::cpuset::CpuSet;

/// The variable that overrides [`default_threads`].
const SETTING: &str = "GRISTMILL_NUM_THREADS";
/// The most threads the setting may ask for.
const MAX_THREADS: usize = 65_536;

/// A limit on processor time, in CPUs, and the file it stands in.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Quota {
    /// How many CPUs' time may be used on average, above 0: 1.5 means 150 ms in each 100 ms.
    pub cpus: f64,
    /// The file that imposes it: a `cpu.max` or a `cpu.cfs_quota_us`.
    pub file: PathBuf,
}

impl Quota {
    /// A limit of so many CPUs in this file: for tests, and to plan for another machine.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gristmill::topology::Quota::new(1.5, "/sys/fs/cgroup/cpu.max").cpus, 1.5);
    /// ```
    #[must_use]
    pub fn new(cpus: f64, file: impl Into<PathBuf>) -> Self {
        Self { cpus, file: file.into() }
    }
}

/// The smallest CPU quota among the cgroup of this process and all ancestors that can be seen, in versions 1
/// and 2.
///
/// `root` is `/`, or holds a copy of the files under `proc/self` and of the mount points these name. `None`
/// means that no limit was found; a file that is missing or malformed limits nothing.
///
/// # Examples
///
/// ```
/// match gristmill::topology::cpu_quota("/".as_ref()) {
///     Some(quota) => println!("{} CPUs, by {}", quota.cpus, quota.file.display()),
///     None => println!("no quota"),
/// }
/// ```
#[must_use]
pub fn cpu_quota(root: &Path) -> Option<Quota> {
    // The first of equals: that of the cgroup itself before those of its ancestors.
    cpu_quotas(root).into_iter().reduce(|least, quota| if quota.cpus < least.cpus { quota } else { least })
}

/// All CPU quotas that bind this process, each of which is a limit: that of its own cgroup, and those of the ancestors,
/// as far as they can be seen. `root` is as for [`cpu_quota`], which gives the smallest.
///
/// # Examples
///
/// ```
/// for quota in gristmill::topology::cpu_quotas("/".as_ref()) {
///     println!("{} CPUs by {}", quota.cpus, quota.file.display());
/// }
/// ```
#[must_use]
pub fn cpu_quotas(root: &Path) -> Vec<Quota> {
    let memberships = fs::read(root.join("proc/self/cgroup")).unwrap_or_default();
    let mounts = fs::read(root.join("proc/self/mountinfo")).unwrap_or_default();
    let memberships: Vec<Membership> = lines(&memberships).filter_map(Membership::parse).collect();
    let mut quotas = Vec::new();
    for mount in lines(&mounts).filter_map(Mount::parse) {
        for membership in memberships.iter().filter(|membership| membership.version == mount.version) {
            quotas
                .extend(mount.dirs(root, &membership.path).iter().filter_map(|dir| mount.version.quota(dir)));
        }
    }
    quotas
}

#[derive(Clone, Copy, PartialEq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// The limit that one cgroup's directory imposes.
    fn quota(self, dir: &Path) -> Option<Quota> {
        let (file, quota, period) = match self {
            Self::One => {
                let file = dir.join("cpu.cfs_quota_us");
                let quota = fs::read_to_string(&file).ok()?;
                let period = fs::read_to_string(dir.join("cpu.cfs_period_us")).ok()?;
                (file, quota, period)
            }
            Self::Two => {
                let file = dir.join("cpu.max");
                let text = fs::read_to_string(&file).ok()?;
                let mut words = text.split_whitespace();
                let quota = words.next()?.to_owned();
                // The kernel always writes the period; 100 ms is what it means when a user writes none.
                let period = words.next().unwrap_or("100000").to_owned();
                (file, quota, period)
            }
        };
        // No quota is -1 in version 1 and `max` in version 2; neither is a number above 0.
        let number = |text: &str| text.trim().parse::<u64>().ok().filter(|&number| number > 0);
        Some(Quota { cpus: number(&quota)? as f64 / number(&period)? as f64, file })
    }
}

/// A line of `/proc/self/cgroup`: where this process is in a hierarchy that may limit CPU time.
struct Membership {
    version: Version,
    path: PathBuf,
}

impl Membership {
    /// `4:cpu,cpuacct:/user.slice` (version 1) or `0::/user.slice` (version 2).
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.splitn(3, |&byte| byte == b':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match controllers {
            b"" if number == b"0" => Version::Two,
            _ if has(controllers, b"cpu") => Version::One,
            _ => return None,
        };
        // A cgroup that was removed under us keeps its name, with this mark.
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        Some(Self { version, path: PathBuf::from(OsStr::from_bytes(path)) })
    }
}

/// A line of `/proc/self/mountinfo`: where a part of such a hierarchy can be seen.
struct Mount {
    version: Version,
    /// The cgroup that the mount point shows.
    shows: PathBuf,
    point: PathBuf,
}

impl Mount {
    /// `33 31 0:29 /shows /mount/point rw shared:9 - cgroup cgroup rw,cpu`, with any number of fields before
    /// the dash.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let (shows, point) = (fields.nth(3)?, fields.next()?);
        fields.find(|field| *field == b"-")?;
        let (kind, options) = (fields.next()?, fields.nth(1)?);
        let version = match kind {
            b"cgroup2" => Version::Two,
            b"cgroup" if has(options, b"cpu") => Version::One,
            _ => return None,
        };
        Some(Self { version, shows: unescape(shows), point: unescape(point) })
    }

    /// The directories, below `root`, of the cgroup at `path` and of its ancestors, as far as this mount
    /// shows them.
    fn dirs(&self, root: &Path, path: &Path) -> Vec<PathBuf> {
        let point = root.join(self.point.strip_prefix("/").unwrap_or(&self.point));
        let plain = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        let inside = match path.strip_prefix(&self.shows) {
            Ok(inside) if plain(inside) => inside,
            // Seen from inside a cgroup namespace, a mount that shows an ancestor of the namespace's root
            // reads `/..`. Which of its directories leads to us cannot be told, but its own limit is ours.
            Err(_) if !climbs(path) && climbs_only(&self.shows) => Path::new(""),
            _ => return Vec::new(),
        };
        inside.ancestors().map(|part| point.join(part)).collect()
    }
}

fn climbs(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

fn climbs_only(path: &Path) -> bool {
    climbs(path) && path.components().all(|part| matches!(part, Component::RootDir | Component::ParentDir))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
}

/// Whether a list parted by commas has this word.
fn has(list: &[u8], word: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|item| item == word)
}

/// Blanks, tabs, line ends and backslashes stand in mountinfo as a backslash and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        rest = match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            _ => {
                bytes.push(first);
                tail
            }
        };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// How many threads are worth starting, and why: the answer of [`default_threads`].
///
/// # Examples
///
/// ```
/// let threads = gristmill::topology::default_threads();
/// assert!(threads.count >= 1);
/// println!("{threads}"); // 8: the affinity mask of this thread
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ThreadCount {
    /// The number, at least 1.
    pub count: usize,
    /// What decided it.
    pub why: Why,
    /// How many units the affinity mask allows; `None` when the kernel did not tell.
    pub allowed: Option<usize>,
    /// The CPU quota, where one is set, whether it decided or not.
    pub quota: Option<Quota>,
    /// The setting, where it was there but could not be used.
    pub rejected: Option<RejectedSetting>,
}

/// What decided a [`ThreadCount`].
///
/// # Examples
///
/// ```
/// use gristmill::topology::{Why, default_threads};
///
/// if default_threads().why == Why::Quota {
///     println!("a cgroup grants less than the mask");
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// `GRISTMILL_NUM_THREADS` asks for it.
    Setting,
    /// The CPU quota, rounded up, is below what the mask allows.
    Quota,
    /// The affinity mask allows that many units.
    Mask,
    /// Neither mask nor quota is known; one thread always runs.
    Unknown,
}

/// A value of `GRISTMILL_NUM_THREADS` that was passed over.
///
/// # Examples
///
/// ```
/// if let Some(rejected) = gristmill::topology::default_threads().rejected {
///     eprintln!("{rejected}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedSetting {
    /// The value; what is not UTF-8 is replaced.
    pub value: String,
}

/// Says what is wrong and what would be right.
impl fmt::Display for RejectedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SETTING}={:?} is ignored: it is not a whole number from 1 to {MAX_THREADS}", self.value)
    }
}

/// The number and its reason in one line.
impl fmt::Display for ThreadCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.count)?;
        match (self.why, &self.quota, self.allowed) {
            (Why::Setting, ..) => write!(f, "{SETTING} asks for it")?,
            (Why::Quota, Some(quota), _) => {
                write!(f, "the CPU quota of {:.2}, rounded up, in {}", quota.cpus, quota.file.display())?;
            }
            (Why::Mask, _, Some(_)) => write!(f, "the affinity mask of this thread")?,
            _ => write!(f, "nothing is known of this machine")?,
        }
        match &self.rejected {
            Some(rejected) => write!(f, " ({rejected})"),
            None => Ok(()),
        }
    }
}

/// How many threads are worth starting for work that keeps the processors busy, and why.
///
/// The number of units in the calling thread's affinity mask, or the CPU quota if that is lower; at least 1.
/// A quota that is not whole is rounded *up*: with 1.5 CPUs, two threads use all that is granted (and are
/// throttled a quarter of the time when both are busy), while one would leave a third of it unused.
/// `GRISTMILL_NUM_THREADS`, a whole number from 1 to 65,536, overrides both; any other value is ignored,
/// which the answer says.
///
/// Nothing is cached: masks and quotas change while a program runs. Python's counterpart is
/// `os.process_cpu_count`, which knows no quotas.
///
/// # Examples
///
/// ```
/// let threads = gristmill::topology::default_threads();
/// println!("{threads}"); // 2: the CPU quota of 1.50, rounded up, in /sys/fs/cgroup/cpu.max
/// assert!(threads.count >= 1);
/// ```
#[must_use]
#[doc(alias = "os.process_cpu_count")]
pub fn default_threads() -> ThreadCount {
    let mask = affinity::allowed().ok().map(CpuSet::from_iter);
    decide(Path::new("/"), mask.as_ref(), env::var_os(SETTING).as_deref())
}

/// What [`default_threads`] would say with another root directory (see [`cpu_quota`]), mask and value of
/// `GRISTMILL_NUM_THREADS`: for tests, and to plan for another machine.
///
/// # Examples
///
/// ```
/// use gristmill::topology::{Why, default_threads_in};
///
/// let threads = default_threads_in("/nowhere".as_ref(), &(0..8).collect(), None);
/// assert_eq!((threads.count, threads.why), (8, Why::Mask));
/// ```
#[must_use]
pub fn default_threads_in(root: &Path, mask: &CpuSet, setting: Option<&OsStr>) -> ThreadCount {
    decide(root, Some(mask), setting)
}

fn decide(root: &Path, mask: Option<&CpuSet>, setting: Option<&OsStr>) -> ThreadCount {
    let allowed = mask.map(CpuSet::len);
    let quota = cpu_quota(root);
    // A cast to an integer saturates, so the largest quota there is stays a large number.
    let granted = quota.as_ref().map(|quota| (quota.cpus.ceil() as usize).clamp(1, MAX_THREADS));
    let (mut count, mut why) = match (granted, allowed) {
        (Some(granted), Some(allowed)) if granted >= allowed => (allowed, Why::Mask),
        (Some(granted), _) => (granted, Why::Quota),
        (None, Some(allowed)) => (allowed, Why::Mask),
        (None, None) => (1, Why::Unknown),
    };
    let mut rejected = None;
    if let Some(setting) = setting {
        match setting.to_str().and_then(|text| text.trim().parse().ok()) {
            Some(asked) if (1..=MAX_THREADS).contains(&asked) => (count, why) = (asked, Why::Setting),
            _ => rejected = Some(RejectedSetting { value: setting.to_string_lossy().into_owned() }),
        }
    }
    ThreadCount { count: count.max(1), why, allowed, quota, rejected }
}

#[cfg(test)]
mod tests;
