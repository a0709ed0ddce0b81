//! Texts to count words in: a folder of files, or documents made up in memory.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::rng::Rng;

/// How much of a text is looked at to tell whether it is one: binary files have a NUL early on.
const SAMPLE: usize = 8 << 10;
/// What is read beyond a piece at a time, in search of the end of its last word.
const BEYOND: u64 = 4 << 10;
/// Words that made-up documents draw from.
const VOCABULARY: usize = 1 << 14;

/// A document in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its path within the corpus, with `/` between folders.
    pub name: String,
    /// Its bytes, which should be UTF-8 but need not be.
    pub text: Vec<u8>,
}

/// Texts to count words in.
#[derive(Debug, Clone)]
pub enum Corpus {
    /// Documents in memory.
    Memory(Vec<Document>),
    /// All files in a folder and its subfolders; or a single file, which is a corpus of one.
    Folder(PathBuf),
}

/// Documents of `bytes` bytes in total, the same ones each time: half of the bytes in one large
/// document, the others in many of up to 64 KiB. Few words are frequent and most are rare.
pub fn documents(bytes: usize) -> Vec<Document> {
    let mut rng = Rng::new(19);
    let words: Vec<String> = (0..VOCABULARY).map(spell).collect();
    let mut left = bytes;
    let mut documents = Vec::new();
    while left > 0 {
        let number = documents.len();
        let (name, size) = match number {
            0 => ("large.txt".to_owned(), left.div_ceil(2)),
            _ => (format!("small/{:02}/{number}.txt", number % 16), left.min(1 + rng.below(64 << 10))),
        };
        documents.push(Document { name, text: prose(size, &words, &mut rng) });
        left -= size;
    }
    documents
}

/// Writes `documents` below `folder`, which is made if need be.
///
/// # Errors
///
/// [`Error::File`] with the first path that cannot be written.
pub fn write(documents: &[Document], folder: &Path) -> Result<(), Error> {
    for document in documents {
        let path = folder.join(&document.name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|cause| Error::File { path: parent.to_owned(), cause })?;
        fs::write(&path, &document.text).map_err(|cause| Error::File { path, cause })?;
    }
    Ok(())
}

/// The word with this number, in syllables; some begin with a letter beyond ASCII.
fn spell(number: usize) -> String {
    let mut word = String::from(["", "", "", "", "é", "ß", "", "ж"][number % 8]);
    let mut rest = number;
    loop {
        word.push(char::from(b"bcdfghjklmnprstv"[rest % 16]));
        word.push(char::from(b"aeiou"[rest / 16 % 5]));
        rest /= 80;
        if rest == 0 {
            return word;
        }
    }
}

/// Sentences of exactly `size` bytes; what no word fits in is left blank.
fn prose(size: usize, words: &[String], rng: &mut Rng) -> Vec<u8> {
    let mut text = Vec::with_capacity(size);
    let mut place = 0;
    loop {
        // The power of two first: a word's share falls as one over its number.
        let octave = rng.below(VOCABULARY.ilog2() as usize + 1);
        let word = words[rng.below(1 << octave)].as_bytes();
        if text.len() + word.len() + 2 > size {
            break;
        }
        let first = text.len();
        text.extend_from_slice(word);
        if place == 0 {
            text[first].make_ascii_uppercase();
        }
        place = (place + 1) % 12;
        text.extend_from_slice(if place == 0 { b".\n" } else { b" " });
    }
    text.resize(size, b'\n');
    text
}

/// Whether `byte` is outside all words, whatever stands around it: ASCII, and neither letter nor digit.
pub(crate) fn is_break(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric()
}

/// Whether a text that begins with `bytes` is not one.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(SAMPLE)].contains(&0)
}

pub(crate) trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// One text of a corpus, not opened yet.
#[derive(Debug)]
pub(crate) enum Text<'a> {
    Memory(&'a [u8]),
    File { path: PathBuf, bytes: u64 },
}

impl Text<'_> {
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Text::Memory(text) => text.len() as u64,
            Text::File { bytes, .. } => *bytes,
        }
    }

    pub(crate) fn open(&self) -> io::Result<Box<dyn Source + '_>> {
        Ok(match self {
            Text::Memory(text) => Box::new(Cursor::new(*text)),
            Text::File { path, .. } => Box::new(File::open(path)?),
        })
    }

    /// Whether it looks like text, from its beginning.
    pub(crate) fn sample(&self) -> io::Result<bool> {
        let mut bytes = Vec::with_capacity(SAMPLE);
        self.open()?.take(SAMPLE as u64).read_to_end(&mut bytes)?;
        Ok(!is_binary(&bytes))
    }

    /// The words of `from..to`, where a cut falls on the first break at or after it.
    ///
    /// So the pieces of a text share its words out, and no piece reads twice what another owns, save
    /// the one that a very long word begins in.
    pub(crate) fn piece(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut source = self.open()?;
        source.seek(SeekFrom::Start(from))?;
        let mut text = Vec::with_capacity((to - from + BEYOND) as usize);
        source.by_ref().take(to - from).read_to_end(&mut text)?;
        if from > 0 {
            match text.iter().position(|byte| is_break(*byte)) {
                Some(cut) => drop(text.drain(..cut)),
                None => return Ok(Vec::new()),
            }
        }
        while to < self.bytes() {
            let end = text.len();
            let more = source.by_ref().take(BEYOND).read_to_end(&mut text)?;
            if let Some(cut) = text[end..].iter().position(|byte| is_break(*byte)) {
                text.truncate(end + cut);
                break;
            }
            if more == 0 {
                break;
            }
        }
        Ok(text)
    }
}

impl Corpus {
    /// All texts in the order of their names, folder by folder, and how many entries are no files or
    /// could not be looked at. Links are not followed.
    pub(crate) fn texts(&self) -> Result<(Vec<Text<'_>>, u64), Error> {
        let root = match self {
            Corpus::Memory(documents) => {
                return Ok((documents.iter().map(|document| Text::Memory(&document.text)).collect(), 0));
            }
            Corpus::Folder(root) => root,
        };
        let failed = |cause| Error::File { path: root.clone(), cause };
        let about = fs::metadata(root).map_err(failed)?;
        if about.is_file() {
            File::open(root).map_err(failed)?;
            return Ok((vec![Text::File { path: root.clone(), bytes: about.len() }], 0));
        }
        let (mut texts, mut skipped) = (Vec::new(), 0);
        let mut open = entries(root, &mut skipped).map_err(failed)?;
        while let Some(entry) = open.pop() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => match entries(&path, &mut skipped) {
                    Ok(inner) => open.extend(inner),
                    Err(_) => skipped += 1,
                },
                Ok(kind) if kind.is_file() => match entry.metadata() {
                    Ok(about) => texts.push(Text::File { path, bytes: about.len() }),
                    Err(_) => skipped += 1,
                },
                _ => skipped += 1,
            }
        }
        Ok((texts, skipped))
    }
}

/// What stands in `folder`, the last name first.
fn entries(folder: &Path, skipped: &mut u64) -> io::Result<Vec<fs::DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(_) => *skipped += 1,
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::{Text, documents, is_break, spell};
    use std::collections::HashSet;

    #[test]
    fn documents_are_as_large_as_asked_for() {
        for bytes in [0, 1, 2, 3, 1000, 300_000] {
            let documents = documents(bytes);
            assert_eq!(documents.iter().map(|document| document.text.len()).sum::<usize>(), bytes);
            let names: HashSet<_> = documents.iter().map(|document| &document.name).collect();
            assert_eq!(names.len(), documents.len());
            assert!(documents.iter().all(|document| std::str::from_utf8(&document.text).is_ok()));
        }
        let words: HashSet<_> = (0..super::VOCABULARY).map(spell).collect();
        assert_eq!(words.len(), super::VOCABULARY);
    }

    #[test]
    fn pieces_share_a_text_out() {
        let long = "x".repeat(9000);
        let whole = format!("één été, {long} {long}\n ßj - жук  x{long}");
        let text = Text::Memory(whole.as_bytes());
        for size in [1, 2, 7, 100, 5000, 100_000] {
            let mut glued = Vec::new();
            for from in (0..text.bytes()).step_by(size) {
                let piece = text.piece(from, text.bytes().min(from + size as u64)).unwrap();
                assert!(from == 0 || piece.is_empty() || is_break(piece[0]));
                glued.extend(piece);
            }
            assert!(glued == whole.as_bytes(), "pieces of {size}");
        }
    }
}
