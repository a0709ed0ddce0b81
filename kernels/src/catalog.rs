//! All kernels by name, so that a tool can go through them.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel};
use crate::{
    bfs, chase, fft, fib, histogram, mandelbrot, map, matmul, mergesort, nbody, nqueens, radix, scan, skew,
    sort, spmv, stencil, sum, tree, triad, wordcount,
};

macro_rules! catalog {
    ($($kernel:ident in $module:ident,)*) => {
        /// What is known of each kernel, those of one shape together.
        pub const ENTRIES: &[Entry] = &[$($module::$kernel::ENTRY),*];

        /// A kernel with its input, whichever it is.
        ///
        /// ```
        /// use kernels::{Case, Serial};
        ///
        /// let mut case = Case::make("fib", 20)?;
        /// case.prepare();
        /// case.serial();
        /// let expected = case.answer();
        /// case.prepare();
        /// case.run(&mut Serial);
        /// assert!(case.answer().agrees(&expected));
        /// # Ok::<(), kernels::Error>(())
        /// ```
        #[derive(Debug)]
        pub enum Case {
            $(
                #[doc = concat!("See [`", stringify!($module), "`].")]
                $kernel($module::$kernel),
            )*
        }

        impl Case {
            /// Makes the input of the kernel called `name`, at `size`.
            ///
            /// # Errors
            ///
            /// [`Error::Unknown`] for a name that is not in [`ENTRIES`], and [`Error::Size`] for a size
            /// that the kernel does not take.
            pub fn make(name: &str, size: usize) -> Result<Self, Error> {
                $(
                    if name == $module::$kernel::ENTRY.name {
                        return $module::$kernel::make(size).map(Case::$kernel);
                    }
                )*
                Err(unknown(name))
            }

            /// The kernel's line in the catalogue.
            pub fn entry(&self) -> &'static Entry {
                match self {
                    $(Case::$kernel(_) => const { &$module::$kernel::ENTRY },)*
                }
            }

            /// Forgets the last answer and restores what a run changes. Not to be timed.
            pub fn prepare(&mut self) {
                match self {
                    $(Case::$kernel(kernel) => kernel.prepare(),)*
                }
            }

            /// Does the work without an engine.
            pub fn serial(&mut self) {
                match self {
                    $(Case::$kernel(kernel) => kernel.serial(),)*
                }
            }

            /// Does the work on `engine`.
            pub fn run<E: Engine>(&mut self, engine: &mut E) {
                match self {
                    $(Case::$kernel(kernel) => kernel.run(engine),)*
                }
            }

            /// What the last run gave. Not to be timed.
            pub fn answer(&self) -> Answer {
                match self {
                    $(Case::$kernel(kernel) => kernel.answer(),)*
                }
            }
        }
    };
}

catalog! {
    Fib in fib,
    Tree in tree,
    Nqueens in nqueens,
    Mergesort in mergesort,
    Fft in fft,
    Sort in sort,
    Sum in sum,
    Map in map,
    Triad in triad,
    Scan in scan,
    Histogram in histogram,
    Matmul in matmul,
    Stencil in stencil,
    Spmv in spmv,
    Mandelbrot in mandelbrot,
    Nbody in nbody,
    Bfs in bfs,
    Radix in radix,
    Chase in chase,
    Skew in skew,
    Wordcount in wordcount,
}

/// The entry of the kernel called `name`.
///
/// # Errors
///
/// [`Error::Unknown`], which lists the known names and suggests the nearest.
pub fn entry(name: &str) -> Result<&'static Entry, Error> {
    ENTRIES.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    let known: Vec<_> = ENTRIES.iter().map(|entry| entry.name).collect();
    // A longer name would be no misspelling, and the comparison is quadratic.
    let nearest = (name.len() <= 32)
        .then(|| known.iter().map(|&other| (edits(&name.to_lowercase(), other), other)).min())
        .flatten()
        .filter(|(edits, other)| *edits <= 1 + other.len() / 3)
        .map(|(_, other)| other);
    Error::Unknown { name: name.to_owned(), nearest, known }
}

/// How many letters must be put in, left out or changed to make `a` of `b` (Levenshtein, 1966).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Case, ENTRIES, edits, entry};
    use crate::engine::Serial;
    use crate::error::Error;

    #[test]
    fn entries_are_sound() {
        let names: HashSet<_> = ENTRIES.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), ENTRIES.len());
        for known in ENTRIES {
            assert_eq!(entry(known.name).unwrap().name, known.name);
            assert!(known.least <= known.quick_size && known.quick_size <= known.default_size);
            assert!(known.default_size <= known.most);
        }
    }

    #[test]
    fn every_case_runs_by_name_at_its_least() {
        for entry in ENTRIES {
            let mut case = Case::make(entry.name, entry.least).unwrap();
            assert_eq!(case.entry().name, entry.name);
            case.prepare();
            case.serial();
            let expected = case.answer();
            case.prepare();
            case.run(&mut Serial);
            assert!(case.answer().agrees(&expected), "{}", entry.name);
        }
    }

    #[test]
    fn wrong_names_get_a_hint() {
        for (name, hint) in [("fibb", Some("fib")), ("Merge-Sort", Some("mergesort")), ("quicksilver", None)]
        {
            let Err(Error::Unknown { nearest, known, .. }) = Case::make(name, 1) else { panic!("{name}") };
            assert_eq!(nearest, hint, "{name}");
            assert_eq!(known.len(), ENTRIES.len());
        }
        let message = entry("nquens").unwrap_err().to_string();
        assert!(
            message.starts_with("no kernel is called \"nquens\"; did you mean \"nqueens\"? (known: fib, ")
        );
        assert!(entry(&"x".repeat(100_000)).is_err());
        assert!(entry("").is_err());
    }

    #[test]
    fn wrong_sizes_say_the_range() {
        let message = Case::make("fib", 0).unwrap_err().to_string();
        assert_eq!(message, "fib cannot run at size 0: it takes 1 to 50 (index of the number)");
        assert!(matches!(Case::make("matmul", usize::MAX), Err(Error::Size { most: 8192, .. })));
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("", ""), 0);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "sum"), 3);
        assert_eq!(edits("sum", ""), 3);
    }
}
