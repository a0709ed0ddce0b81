//! Lists of places as OpenMP writes them in `OMP_PLACES`.
//!
//! ```text
//! list      = name [ "(" count ")" ] | interval { "," interval }
//! interval  = place [ ":" length [ ":" stride ] ] | "!" place
//! place     = "{" resources { "," resources } "}" | number
//! resources = number [ ":" length [ ":" stride ] ] | "!" number
//! ```
//!
//! Numbers are CPUs, lengths are at least 1, strides may be negative. `{0:4}:8:4` is eight places of four CPUs, each 4
//! beyond the one before. What follows a `!` is taken out of the place, or the list, that it stands in. (OpenMP 5.2,
//! section 21.1.6.)

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What a list of places that is not written out is made of.
///
/// # Examples
///
/// ```
/// use gristmill::config::PlaceKind;
///
/// assert_eq!(PlaceKind::Cores.to_string(), "cores");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlaceKind {
    /// A place for each hardware thread.
    Threads,
    /// A place for each core, of all its hardware threads.
    Cores,
    /// A place for each L3 cache.
    LlCaches,
    /// A place for each NUMA node.
    Numa,
    /// A place for each package.
    Sockets,
}

impl PlaceKind {
    const NAMES: [(&'static str, Self); 6] = [
        ("threads", Self::Threads),
        ("cores", Self::Cores),
        ("ll_caches", Self::LlCaches),
        ("numa", Self::Numa),
        ("sockets", Self::Sockets),
        // OpenMP's name.
        ("numa_domains", Self::Numa),
    ];
}

/// Its name in a configuration.
impl fmt::Display for PlaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// The places that workers may be given: those of a kind, or a list of sets of CPUs.
///
/// It is read from what OpenMP calls a place list, such as `cores`, `sockets(2)` or `{0:4}:8:4`.
///
/// # Examples
///
/// ```
/// use gristmill::config::PlaceList;
///
/// let PlaceList::Listed(places) = "{0:4}:3:4,!{4:4}".parse()? else { panic!("a list") };
/// assert_eq!(places, [vec![0, 1, 2, 3], vec![8, 9, 10, 11]]);
/// # Ok::<(), gristmill::config::ParsePlacesError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "OMP_PLACES")]
pub enum PlaceList {
    /// The places of a kind.
    #[non_exhaustive]
    Named {
        /// Of which kind.
        kind: PlaceKind,
        /// How many of them; all if not given.
        count: Option<usize>,
    },
    /// For each place its CPUs, ascending; never empty.
    Listed(Vec<Vec<usize>>),
}

impl PlaceList {
    /// All places of a kind.
    #[must_use]
    pub fn all(kind: PlaceKind) -> Self {
        Self::Named { kind, count: None }
    }
}

impl From<PlaceKind> for PlaceList {
    fn from(kind: PlaceKind) -> Self {
        Self::all(kind)
    }
}

/// As [`FromStr`] reads it, with the intervals written out.
impl fmt::Display for PlaceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { kind, count: None } => write!(f, "{kind}"),
            Self::Named { kind, count: Some(count) } => write!(f, "{kind}({count})"),
            Self::Listed(places) => {
                for (i, place) in places.iter().enumerate() {
                    f.write_str(if i == 0 { "{" } else { ",{" })?;
                    let runs = place.chunk_by(|a, b| a + 1 == *b);
                    for (j, run) in runs.enumerate() {
                        f.write_str(if j == 0 { "" } else { "," })?;
                        write!(f, "{}", run[0])?;
                        if run.len() > 1 {
                            write!(f, ":{}", run.len())?;
                        }
                    }
                    f.write_str("}")?;
                }
                Ok(())
            }
        }
    }
}

/// Why a text is no list of places: what was expected, and where.
///
/// # Examples
///
/// ```
/// use gristmill::config::PlaceList;
///
/// let error = "{0:4".parse::<PlaceList>().unwrap_err();
/// assert_eq!((error.position(), error.to_string().as_str()), (4, "`}` or `,` was expected at the end"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParsePlacesError {
    message: String,
    position: usize,
}

impl ParsePlacesError {
    /// The offset in bytes at which something else was expected.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

/// The highest number of a CPU, as in [`CpuSet::MAX_ID`](crate::topology::CpuSet::MAX_ID).
const MAX_CPU: i64 = (1 << 20) - 1;
/// The most numbers that a list may hold in all.
const MAX_NUMBERS: usize = 1 << 20;

impl FromStr for PlaceList {
    type Err = ParsePlacesError;

    /// Reads a list; blanks between its parts are passed over, and the names of kinds may be in capitals.
    ///
    /// # Errors
    ///
    /// A [`ParsePlacesError`] that says what was expected and where.
    fn from_str(text: &str) -> Result<Self, ParsePlacesError> {
        let mut reader = Reader { text, at: 0, numbers: 0 };
        reader.blanks();
        if reader.at == text.len() {
            return reader.fail("the list of places is empty; one reads like `cores` or `{0:4}:8:4`");
        }
        if text[reader.at..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            return reader.named();
        }
        let (mut places, mut without) = (Vec::new(), Vec::new());
        loop {
            let excluded = reader.eat("!");
            let place = reader.place()?;
            if excluded {
                without.push(place);
            } else {
                let (length, stride) = reader.interval()?;
                for step in 0..length {
                    let shift = |cpu: &i64| cpu.checked_add(step.checked_mul(stride)?);
                    let shifted: Option<BTreeSet<i64>> = place.iter().map(shift).collect();
                    let shifted = shifted.filter(|cpus| cpus.iter().all(|cpu| (0..=MAX_CPU).contains(cpu)));
                    let Some(shifted) = shifted else {
                        return reader.fail(&format!("the interval leads beyond CPUs 0 to {MAX_CPU}"));
                    };
                    reader.count(shifted.len())?;
                    places.push(shifted);
                }
            }
            if !reader.eat(",") {
                break;
            }
        }
        if reader.at < text.len() {
            return reader.expected("`,`, `:` or the end");
        }
        places.retain(|place| !place.is_empty() && !without.contains(place));
        if places.is_empty() {
            return reader.fail("no place is left in the list");
        }
        let listed = places.into_iter().map(|place| place.into_iter().map(|cpu| cpu as usize).collect());
        Ok(Self::Listed(listed.collect()))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    numbers: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, message: &str) -> Result<T, ParsePlacesError> {
        Err(ParsePlacesError { message: message.to_owned(), position: self.at })
    }

    fn expected<T>(&self, what: &str) -> Result<T, ParsePlacesError> {
        match self.text[self.at..].chars().next() {
            None => self.fail(&format!("{what} was expected at the end")),
            Some(found) => self.fail(&format!("{what} was expected instead of `{found}`")),
        }
    }

    fn count(&mut self, numbers: usize) -> Result<(), ParsePlacesError> {
        self.numbers += numbers;
        if self.numbers > MAX_NUMBERS {
            return self.fail(&format!("the list has more than {MAX_NUMBERS} numbers"));
        }
        Ok(())
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Passes over this sign, if it comes next, and the blanks behind it.
    fn eat(&mut self, sign: &str) -> bool {
        let found = self.text[self.at..].starts_with(sign);
        if found {
            self.at += sign.len();
            self.blanks();
        }
        found
    }

    fn digits(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
        self.at += digits.len();
        self.blanks();
        digits
    }

    fn number(&mut self, what: &str, least: i64, most: i64) -> Result<i64, ParsePlacesError> {
        let start = self.at;
        let parsed = self.digits().parse::<i64>();
        match parsed {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ if self.at == start => self.expected(what),
            _ => {
                self.at = start;
                self.fail(&format!("{what} is a whole number from {least} to {most}"))
            }
        }
    }

    fn cpu(&mut self) -> Result<i64, ParsePlacesError> {
        self.number("the number of a CPU", 0, MAX_CPU)
    }

    /// `:length:stride`, as much of it as there is.
    fn interval(&mut self) -> Result<(i64, i64), ParsePlacesError> {
        if !self.eat(":") {
            return Ok((1, 1));
        }
        let length = self.number("a length", 1, MAX_CPU + 1)?;
        if !self.eat(":") {
            return Ok((length, 1));
        }
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        let stride = self.number("a stride", 0, MAX_CPU)?;
        Ok((length, if negative { -stride } else { stride }))
    }

    fn place(&mut self) -> Result<BTreeSet<i64>, ParsePlacesError> {
        if !self.eat("{") {
            if self.text[self.at..].starts_with(|c: char| c.is_ascii_digit()) {
                return Ok(BTreeSet::from([self.cpu()?]));
            }
            return self.expected("`{` or the number of a CPU");
        }
        let (mut cpus, mut without) = (BTreeSet::new(), BTreeSet::new());
        loop {
            if self.eat("!") {
                without.insert(self.cpu()?);
            } else {
                let first = self.cpu()?;
                let (length, stride) = self.interval()?;
                self.count(length as usize)?;
                for step in 0..length {
                    let cpu = first + step * stride;
                    if !(0..=MAX_CPU).contains(&cpu) {
                        return self.fail(&format!("the interval leads beyond CPUs 0 to {MAX_CPU}"));
                    }
                    cpus.insert(cpu);
                }
            }
            if !self.eat(",") {
                break;
            }
        }
        if !self.eat("}") {
            return self.expected("`}` or `,`");
        }
        Ok(cpus.difference(&without).copied().collect())
    }

    fn named(&mut self) -> Result<PlaceList, ParsePlacesError> {
        let rest = &self.text[self.at..];
        let name = &rest[..rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()];
        let Some((_, kind)) =
            PlaceKind::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).copied()
        else {
            let message = format!("`{name}` is no kind of place; {KINDS}");
            return self.fail(&message);
        };
        self.at += name.len();
        self.blanks();
        let mut count = None;
        if self.eat("(") {
            count = Some(self.number("a count", 1, MAX_CPU + 1)? as usize);
            if !self.eat(")") {
                return self.expected("`)`");
            }
        }
        if self.at < self.text.len() {
            return self.expected("`(` with a count, or the end");
        }
        Ok(PlaceList::Named { kind, count })
    }
}

/// The names of the kinds, in a sentence.
pub(super) const KINDS: &str = "the kinds are threads, cores, ll_caches, numa and sockets";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(text: &str) -> Vec<Vec<usize>> {
        match text.parse() {
            Ok(PlaceList::Listed(places)) => places,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_examples_of_the_specification() {
        let fours = [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9, 10, 11], vec![12, 13, 14, 15]];
        for text in ["{0,1,2,3},{4,5,6,7},{8,9,10,11},{12,13,14,15}", "{0:4},{4:4},{8:4},{12:4}", "{0:4}:4:4"]
        {
            assert_eq!(listed(text), fours, "{text}");
        }
        assert_eq!(listed("{0:2:2}"), [[0, 2]]);
        assert_eq!(listed("{0,1},{2}:2:3"), [vec![0, 1], vec![2], vec![5]]);
    }

    #[test]
    fn intervals_run_forwards_backwards_and_in_place() {
        assert_eq!(listed("7:3:-2"), [[7], [5], [3]]);
        assert_eq!(listed("{8:2:-1}:2:-4"), [[7, 8], [3, 4]]);
        assert_eq!(listed("{3}:2:0"), [[3], [3]]);
        assert_eq!(listed("1:3"), [[1], [2], [3]]);
        assert_eq!(listed(" { 0 : 2 : +3 } : 2 : 1 , 9 "), [vec![0, 3], vec![1, 4], vec![9]]);
    }

    #[test]
    fn what_is_excluded_is_left_out() {
        assert_eq!(listed("{0:6,!2,!4}"), [[0, 1, 3, 5]]);
        assert_eq!(listed("{0:2}:4:2,!{2:2}"), [[0, 1], [4, 5], [6, 7]]);
        assert_eq!(listed("!{0},{0}:2"), [[1]]);
        assert_eq!(listed("0:4,!2"), [[0], [1], [3]]);
        assert_eq!(listed("{0,!0},{1}"), [[1]]);
    }

    #[test]
    fn kinds_with_counts() {
        for (text, kind, count) in [
            ("threads", PlaceKind::Threads, None),
            ("Cores", PlaceKind::Cores, None),
            ("cores(4)", PlaceKind::Cores, Some(4)),
            (" sockets ( 2 ) ", PlaceKind::Sockets, Some(2)),
            ("ll_caches", PlaceKind::LlCaches, None),
            ("numa", PlaceKind::Numa, None),
            ("NUMA_DOMAINS(1)", PlaceKind::Numa, Some(1)),
        ] {
            assert_eq!(text.parse(), Ok(PlaceList::Named { kind, count }), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_where() {
        for (text, position, message) in [
            ("", 0, "the list of places is empty"),
            ("  ", 2, "the list of places is empty"),
            ("core", 0, "`core` is no kind of place; the kinds are threads, cores"),
            ("cores(0)", 6, "a count is a whole number from 1"),
            ("cores(", 6, "a count was expected at the end"),
            ("cores(2", 7, "`)` was expected at the end"),
            ("cores,threads", 5, "`(` with a count, or the end was expected instead of `,`"),
            ("{0", 2, "`}` or `,` was expected at the end"),
            ("{0;1}", 2, "`}` or `,` was expected instead of `;`"),
            ("{}", 1, "the number of a CPU was expected instead of `}`"),
            ("{0:0}", 3, "a length is a whole number from 1"),
            ("{0:2:x}", 5, "a stride was expected instead of `x`"),
            ("{0}:2:2:2", 7, "`,`, `:` or the end was expected instead of `:`"),
            ("{0},", 4, "`{` or the number of a CPU was expected at the end"),
            ("{0}{1}", 3, "`,`, `:` or the end was expected instead of `{`"),
            ("{-1}", 1, "the number of a CPU was expected instead of `-`"),
            ("{0}:3:-1", 8, "the interval leads beyond CPUs 0 to"),
            ("{99999999999999999999}", 1, "the number of a CPU is a whole number from 0 to 1048575"),
            ("{0},!{0}", 8, "no place is left"),
            ("{0:1000000}:1000000", 19, "the list has more than 1048576 numbers"),
            ("!{0}:2", 4, "`,`, `:` or the end was expected instead of `:`"),
        ] {
            let error = text.parse::<PlaceList>().unwrap_err();
            assert!(error.to_string().starts_with(message), "{text}: {error}");
            assert_eq!(error.position(), position, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer(text in "[{}!:,0-9()a-z -]{0,24}") {
            if let Ok(list) = text.parse::<PlaceList>() {
                prop_assert_eq!(list.to_string().parse(), Ok(list));
            }
        }

        #[test]
        fn what_is_written_is_read(
            places in prop::collection::vec(prop::collection::btree_set(0usize..300, 1..9), 1..9),
        ) {
            let list = PlaceList::Listed(places.into_iter().map(|place| place.into_iter().collect()).collect());
            prop_assert_eq!(list.to_string().parse(), Ok(list));
        }
    }
}
