//! A kernel at a size, made ready to run.

use std::fs;
use std::path::Path;

use kernels::corpus::Corpus;
use kernels::wordcount::{self, Wordcount};
use kernels::{Answer, Case, Entry, Error};

/// Words that are listed of a folder, as many as of made-up text.
const TOP: usize = 20;

/// The kernel that reads a folder.
pub(crate) const READS_INPUT: &str = "wordcount";

/// How large the kernels are, when no size is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Each kernel's size for a quick look, 5 to 20 ms of serial work.
    Small,
    /// Each kernel's size to measure at, 50 to 400 ms of serial work.
    Large,
}

impl Scale {
    /// Both, the smaller first.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// The names of all, as messages list them.
    pub(crate) const NAMES: &'static str = "small, large";

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }

    /// The size of this kernel at this scale.
    pub fn size(self, entry: &Entry) -> usize {
        match self {
            Self::Small => entry.quick_size,
            Self::Large => entry.default_size,
        }
    }
}

/// One kernel with its input in memory.
pub struct Trial {
    /// Its line in the catalogue.
    pub entry: Entry,
    /// Its size, in the kernel's own unit.
    pub size: usize,
    /// The computation.
    pub case: Case,
    /// What a reader of the results should know of the input.
    pub(crate) note: Option<String>,
}

impl Trial {
    /// Makes the input of this size.
    ///
    /// # Errors
    ///
    /// The kernel's own, if it does not take this size.
    pub fn make(entry: Entry, size: usize) -> Result<Self, Error> {
        let case = Case::make(entry.name, size)?;
        Ok(Self { entry, size, case, note: None })
    }

    /// Lets the kernel that counts words read the texts in `folder`; its size is their bytes.
    ///
    /// # Errors
    ///
    /// The kernel's own, if the folder cannot be read.
    pub fn read(entry: Entry, folder: &Path) -> Result<Self, Error> {
        let corpus = Corpus::Folder(folder.to_owned());
        let tally = wordcount::count_serial(&corpus, TOP)?;
        let (files, skipped) = (tally.files, tally.skipped);
        let note =
            format!("wordcount read {files} texts in {}; {skipped} others are no texts.", folder.display());
        let case = Case::Wordcount(Wordcount::over(corpus, TOP));
        Ok(Self { entry, size: bytes(folder), case, note: Some(note) })
    }

    /// The serial answer, which all others are checked against.
    pub(crate) fn expected(&mut self) -> Answer {
        self.case.prepare();
        self.case.serial();
        self.case.answer()
    }
}

/// The bytes of all files in a folder and below it, as far as they can be seen; links are not followed.
fn bytes(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => bytes(&entry.path()),
        Ok(about) if about.is_file() => usize::try_from(about.len()).unwrap_or(usize::MAX),
        _ => 0,
    };
    entries.map(of).fold(0, usize::saturating_add)
}
