//! How much of the machine other programs used during a run.

use std::fs;
use std::time::Instant;

/// A moment, with the CPU time spent until then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    /// Ticks all CPUs were busy, for whomever.
    all: u64,
    /// Ticks this process and its ended children were.
    own: u64,
}

/// Ticks in a second, in which the kernel tells user space of CPU time on every architecture rustc knows.
const TICKS: f64 = 100.0;

impl Moment {
    /// Now; `None` where `/proc` does not say.
    pub(crate) fn now() -> Option<Self> {
        let all = all(&fs::read_to_string("/proc/stat").ok()?)?;
        let own = own(&fs::read_to_string("/proc/self/stat").ok()?)?;
        Some(Self { at: Instant::now(), all, own })
    }

    /// The CPUs that others kept busy since then, on average.
    pub(crate) fn foreign_since(self) -> Option<f64> {
        let now = Self::now()?;
        let others = (now.all - self.all).saturating_sub(now.own - self.own) as f64;
        let seconds = now.at.duration_since(self.at).as_secs_f64();
        // A tick more or less is no news in a run of a few ticks.
        (seconds > 0.2).then_some(others / TICKS / seconds)
    }
}

/// Fields of the first line: user, nice, system, idle, iowait, irq, softirq, steal.
fn all(stat: &str) -> Option<u64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|ticks| ticks.parse().ok()).collect();
    let busy = |place: &usize| ticks.get(*place).copied().unwrap_or(0);
    Some([0, 1, 2, 5, 6, 7].iter().map(busy).sum())
}

/// Fields 14 to 17: user and system time, and the same of children. The name before them may hold spaces.
fn own(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields = fields.split(' ').skip(11).take(4);
    Some(fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

#[cfg(test)]
mod tests {
    use super::{Moment, all, own};

    #[test]
    fn fields_are_found() {
        assert_eq!(all("cpu  10 1 5 1000 7 2 3 4 0 0\ncpu0 1 1 1 1"), Some(25));
        assert_eq!(own("7 (a) b) R 1 1 1 0 -1 4 0 0 0 0 30 4 200 1000 20 0 1"), Some(1234));
        assert!(Moment::now().is_some());
    }
}
