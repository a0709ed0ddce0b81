//! A set of CPUs by the numbers the operating system gives them.

use std::fmt;
use std::str::FromStr;

/// A set of CPUs (hardware threads), named by their OS ids: what `taskset -c` and `/sys/devices/system/cpu`
/// call a list.
///
/// It is a bitmap as long as its highest member needs. Use it for affinity masks, for what a place of a
/// worker covers, and to restrict a [`Topology`](crate::topology::Topology). It is read from and written in
/// the kernel's list format, `0-3,8,10-12`. Python's counterpart is the set that `os.sched_getaffinity`
/// returns.
///
/// # Examples
///
/// ```
/// use gristmill::topology::CpuSet;
///
/// let node: CpuSet = "0-3,8".parse()?;
/// let mask: CpuSet = [2, 3, 4].into_iter().collect();
/// let both = node.intersection(&mask);
/// assert_eq!(both.to_string(), "2-3");
/// assert!(both.is_subset(&node) && !node.contains(4));
/// # Ok::<(), gristmill::topology::ParseCpuSetError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct CpuSet {
    /// Bit `i % 64` of word `i / 64` is CPU `i`. The last word is never zero, so that equal sets have equal
    /// words.
    words: Vec<u64>,
}

const WORD: usize = u64::BITS as usize;

impl CpuSet {
    /// The highest id a set can hold: 1,048,575. Linux itself stops at 8,191 today.
    pub const MAX_ID: usize = (1 << 20) - 1;

    /// The empty set; it has no allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Puts `cpu` into the set; true when it was not there yet.
    ///
    /// # Panics
    ///
    /// If `cpu` is above [`MAX_ID`](Self::MAX_ID).
    pub fn insert(&mut self, cpu: usize) -> bool {
        assert!(cpu <= Self::MAX_ID, "CPU {cpu} is above {}", Self::MAX_ID);
        let at = cpu / WORD;
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        let before = self.words[at];
        self.words[at] |= 1 << (cpu % WORD);
        before != self.words[at]
    }

    /// Takes `cpu` out of the set; true when it was there.
    pub fn remove(&mut self, cpu: usize) -> bool {
        let was = self.contains(cpu);
        if was {
            self.words[cpu / WORD] &= !(1 << (cpu % WORD));
            self.trim();
        }
        was
    }

    /// Whether `cpu` is in the set; any number may be asked for.
    #[must_use]
    pub fn contains(&self, cpu: usize) -> bool {
        self.words.get(cpu / WORD).is_some_and(|word| word >> (cpu % WORD) & 1 == 1)
    }

    /// How many CPUs are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no CPU is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The members, ascending.
    #[must_use]
    pub fn iter(&self) -> CpuSetIter<'_> {
        CpuSetIter { words: &self.words, at: 0, left: self.words.first().copied().unwrap_or(0) }
    }

    /// What is in either of the two sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (long, short) = if self.words.len() >= other.words.len() { (self, other) } else { (other, self) };
        let mut words = long.words.clone();
        words.iter_mut().zip(&short.words).for_each(|(word, more)| *word |= more);
        Self { words }
    }

    /// What is in both of the sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::trimmed(self.words.iter().zip(&other.words).map(|(a, b)| a & b).collect())
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let theirs = other.words.iter().copied().chain(std::iter::repeat(0));
        Self::trimmed(self.words.iter().zip(theirs).map(|(a, b)| a & !b).collect())
    }

    /// Whether each CPU of this set is in `other`. The empty set is a subset of all.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.words.len() <= other.words.len() && self.words.iter().zip(&other.words).all(|(a, b)| a & !b == 0)
    }

    fn trimmed(words: Vec<u64>) -> Self {
        let mut set = Self { words };
        set.trim();
        set
    }

    /// Restores the invariant: no zero word at the end.
    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }
}

/// The members of a [`CpuSet`], ascending; made by [`CpuSet::iter`].
///
/// # Examples
///
/// ```
/// use gristmill::topology::CpuSet;
///
/// let set: CpuSet = "0-1,8".parse()?;
/// assert_eq!(set.iter().collect::<Vec<_>>(), [0, 1, 8]);
/// # Ok::<(), gristmill::topology::ParseCpuSetError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CpuSetIter<'a> {
    words: &'a [u64],
    at: usize,
    left: u64,
}

impl Iterator for CpuSetIter<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.left == 0 {
            self.at += 1;
            self.left = *self.words.get(self.at)?;
        }
        let bit = self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(self.at * WORD + bit)
    }
}

impl std::iter::FusedIterator for CpuSetIter<'_> {}

impl<'a> IntoIterator for &'a CpuSet {
    type Item = usize;
    type IntoIter = CpuSetIter<'a>;

    fn into_iter(self) -> CpuSetIter<'a> {
        self.iter()
    }
}

impl Extend<usize> for CpuSet {
    /// Puts each of the CPUs in; panics as [`insert`](CpuSet::insert) does.
    fn extend<I: IntoIterator<Item = usize>>(&mut self, cpus: I) {
        for cpu in cpus {
            self.insert(cpu);
        }
    }
}

impl FromIterator<usize> for CpuSet {
    /// The set of these CPUs; panics as [`insert`](CpuSet::insert) does.
    fn from_iter<I: IntoIterator<Item = usize>>(cpus: I) -> Self {
        let mut set = Self::new();
        set.extend(cpus);
        set
    }
}

/// The kernel's list format: ascending ranges, `0-3,8,10-12`; nothing for the empty set.
impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpus = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = cpus.next() {
            let mut last = first;
            while let Some(next) = cpus.next_if(|&cpu| cpu == last + 1) {
                last = next;
            }
            write!(f, "{comma}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuSet({self})")
    }
}

/// Why a text is not a list of CPUs, and where: the answer of [`CpuSet::from_str`].
///
/// # Examples
///
/// ```
/// let error = "0-3,x".parse::<gristmill::topology::CpuSet>().unwrap_err();
/// assert_eq!(error.position(), 4);
/// assert_eq!(error.to_string(), "at byte 4: `x` is not a CPU number (a list reads like 0-3,8)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: {fault}")]
pub struct ParseCpuSetError {
    position: usize,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("a CPU number is missing (a list reads like 0-3,8)")]
    Missing,
    #[error("`{0}` is not a CPU number (a list reads like 0-3,8)")]
    NotANumber(String),
    #[error("CPU {0} is above {max}, the highest a set can hold", max = CpuSet::MAX_ID)]
    TooHigh(String),
    #[error("the range {0}-{1} runs backwards")]
    Backwards(usize, usize),
}

impl ParseCpuSetError {
    /// The offset in bytes, from the start of the text, of the item that is wrong.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl FromStr for CpuSet {
    type Err = ParseCpuSetError;

    /// Reads the kernel's list format. Blanks around the items and a line end are passed over, an empty text
    /// is the empty set, and the items may stand in any order and overlap.
    ///
    /// # Errors
    ///
    /// A [`ParseCpuSetError`] that says what is wrong and at which byte.
    fn from_str(text: &str) -> Result<Self, ParseCpuSetError> {
        let mut set = Self::new();
        if text.trim().is_empty() {
            return Ok(set);
        }
        let mut start = 0;
        for item in text.split(',') {
            let position = start + (item.len() - item.trim_start().len());
            start += item.len() + 1;
            let item = item.trim();
            match item.split_once('-') {
                None => {
                    set.insert(number(item, position)?);
                }
                Some((first, last)) => {
                    let (low, high) = (number(first, position)?, number(last, position + first.len() + 1)?);
                    if low > high {
                        return Err(ParseCpuSetError { position, fault: Fault::Backwards(low, high) });
                    }
                    set.extend(low..=high);
                }
            }
        }
        Ok(set)
    }
}

fn number(text: &str, position: usize) -> Result<usize, ParseCpuSetError> {
    let fault = if text.is_empty() {
        Fault::Missing
    } else if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        Fault::NotANumber(text.to_owned())
    } else {
        match text.parse() {
            Ok(id) if id <= CpuSet::MAX_ID => return Ok(id),
            _ => Fault::TooHigh(text.to_owned()),
        }
    };
    Err(ParseCpuSetError { position, fault })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> CpuSet {
        text.parse().unwrap()
    }

    #[test]
    fn the_list_format() {
        assert_eq!(set("0-3,8,10-12\n").to_string(), "0-3,8,10-12");
        assert_eq!(set("10-12, 8 ,0-1,1-3").to_string(), "0-3,8,10-12");
        assert_eq!(set("7-7").to_string(), "7");
        assert_eq!(set("0,1").to_string(), "0-1");
        assert_eq!(set(" \n"), CpuSet::new());
        assert_eq!(set("1048575").len(), 1);
        assert_eq!(format!("{:?}", set("63-64")), "CpuSet(63-64)");
    }

    #[test]
    fn what_is_wrong_and_where() {
        for (text, position, what) in [
            ("0-3,", 4, "missing"),
            ("-3", 0, "missing"),
            ("4-", 2, "missing"),
            ("0,,1", 2, "missing"),
            ("0, 1x", 3, "`1x`"),
            ("+1", 0, "`+1`"),
            ("0-31:2/4", 2, "`31:2/4`"),
            ("1-2-3", 2, "`2-3`"),
            ("1,9-8", 2, "backwards"),
            ("0-1048576", 2, "above 1048575"),
            ("99999999999999999999999", 0, "above"),
        ] {
            let error = text.parse::<CpuSet>().unwrap_err();
            assert_eq!(error.position(), position, "{text}: {error}");
            assert!(error.to_string().contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn equality_does_not_remember_what_was_removed() {
        let mut set = CpuSet::new();
        assert!(set.insert(700) && !set.insert(700) && set.insert(2));
        assert!(set.remove(700) && !set.remove(700) && !set.remove(100_000));
        assert_eq!(set, [2].into_iter().collect());
        assert!(set.remove(2) && set.is_empty());
    }

    #[test]
    #[should_panic(expected = "above 1048575")]
    fn an_absurd_id_is_refused() {
        CpuSet::new().insert(usize::MAX);
    }

    fn members() -> impl Strategy<Value = BTreeSet<usize>> {
        prop::collection::btree_set(0usize..300, 0..80)
    }

    proptest! {
        #[test]
        fn text_round_trips(members in members()) {
            let set: CpuSet = members.iter().copied().collect();
            prop_assert_eq!(set.to_string().parse::<CpuSet>().unwrap(), set);
        }

        #[test]
        fn any_text_is_an_answer(text in "[-0-9, x:\n]{0,24}") {
            if let Ok(set) = text.parse::<CpuSet>() {
                prop_assert_eq!(set.to_string().parse::<CpuSet>().unwrap(), set);
            }
        }

        #[test]
        fn it_is_a_set(a in members(), b in members()) {
            let (x, y): (CpuSet, CpuSet) = (a.iter().copied().collect(), b.iter().copied().collect());
            prop_assert_eq!(x.len(), a.len());
            prop_assert!(x.iter().eq(a.iter().copied()));
            prop_assert!(x.union(&y).iter().eq(a.union(&b).copied()));
            prop_assert!(x.intersection(&y).iter().eq(a.intersection(&b).copied()));
            prop_assert!(x.difference(&y).iter().eq(a.difference(&b).copied()));
            prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
            prop_assert_eq!(x == y, a == b);
            prop_assert!(x.intersection(&y).is_subset(&x));
        }
    }
}
