//! The most frequent words of a corpus; reading its files is part of the work.
//!
//! Source: the example of Dean and Ghemawat, "MapReduce: simplified data processing on large
//! clusters", OSDI 2004. The hash is Fowler, Noll and Vo's FNV-1a.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Read};
use std::mem;

use crate::answer::Answer;
use crate::corpus::{self, Corpus, Text, is_binary, is_break};
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};

/// Bytes of a block. Far more than other kernels take (about 4 ms), since every block ends with the
/// merging of its words into those of others.
const BLOCK: u64 = 512 << 10;
/// What opening a file counts for, in bytes, when small files are put together to blocks.
const OPENING: u64 = 4 << 10;
/// Words that the kernel lists.
const TOP: usize = 20;

/// What was found in a corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The most frequent words with their counts, the highest count first; of equal counts, by word.
    pub top: Vec<(Box<str>, u64)>,
    /// How many words there are, repeats included.
    pub words: u64,
    /// How many different words there are.
    pub distinct: u64,
    /// How many texts were read.
    pub files: u64,
    /// How many entries were not: binary files (a NUL in the first 8 KiB), links and other things
    /// that are no files, and whatever could not be opened or read. What was read of a text before
    /// reading failed is counted.
    pub skipped: u64,
}

type Counts = HashMap<Box<str>, u64, BuildHasherDefault<Fnv>>;

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Adds the words of `text`: runs of letters and digits as Unicode has them, each letter lowercased
/// for itself. Bytes that are not UTF-8 stand between words.
fn add_words(text: &[u8], counts: &mut Counts) {
    let text = String::from_utf8_lossy(text);
    let mut lower = String::new();
    for word in text.split(|letter: char| !letter.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        lower.clear();
        if word.is_ascii() {
            lower.push_str(word);
            lower.make_ascii_lowercase();
        } else {
            lower.extend(word.chars().flat_map(char::to_lowercase));
        }
        match counts.get_mut(lower.as_str()) {
            Some(count) => *count += 1,
            None => drop(counts.insert(lower.as_str().into(), 1)),
        }
    }
}

/// Reads a text from beginning to end; false if it is binary.
fn add_text(text: &Text<'_>, counts: &mut Counts) -> io::Result<bool> {
    // No more than a block would read of it, should it have grown since.
    let mut source = text.open()?.take(text.bytes());
    let mut buffer = Vec::new();
    let mut at_start = true;
    loop {
        let old = buffer.len();
        let read = source.by_ref().take(BLOCK).read_to_end(&mut buffer)?;
        if mem::take(&mut at_start) && is_binary(&buffer) {
            return Ok(false);
        }
        if read == 0 {
            add_words(&buffer, counts);
            return Ok(true);
        }
        if let Some(cut) = buffer[old..].iter().rposition(|byte| is_break(*byte)) {
            add_words(&buffer[..old + cut], counts);
            buffer.drain(..old + cut);
        }
    }
}

/// A run of bytes of the text with this number.
#[derive(Debug)]
struct Piece {
    text: usize,
    from: u64,
    to: u64,
}

/// Puts small texts together and takes large ones apart, to blocks of about `size` bytes. Leaves out
/// the large ones that are no text and says how many they are.
fn blocks(texts: &[Text<'_>], size: u64) -> (Vec<Vec<Piece>>, u64) {
    let (mut blocks, mut block, mut weight, mut skipped) = (Vec::new(), Vec::new(), 0, 0);
    for (text, about) in texts.iter().enumerate() {
        let bytes = about.bytes();
        if bytes > size && !about.sample().unwrap_or(false) {
            skipped += 1;
            continue;
        }
        let mut from = 0;
        loop {
            let to = bytes.min(from + size);
            block.push(Piece { text, from, to });
            weight += OPENING + (to - from);
            if weight >= size {
                blocks.push(mem::take(&mut block));
                weight = 0;
            }
            from = to;
            if from == bytes {
                break;
            }
        }
    }
    blocks.push(block);
    (blocks, skipped)
}

/// What one block or several found, and the texts that could not be read.
#[derive(Default)]
struct Part {
    counts: Counts,
    skipped: Vec<usize>,
}

impl Part {
    fn of(texts: &[Text<'_>], pieces: &[Piece]) -> Self {
        let mut part = Self::default();
        for piece in pieces {
            let text = &texts[piece.text];
            match text.piece(piece.from, piece.to) {
                Ok(bytes) if piece.from > 0 || !is_binary(&bytes) => add_words(&bytes, &mut part.counts),
                _ => part.skipped.push(piece.text),
            }
        }
        part
    }

    fn merge(mut self, mut other: Self) -> Self {
        // The smaller map goes into the larger, whichever came first: counts do not mind.
        if self.counts.len() < other.counts.len() {
            mem::swap(&mut self, &mut other);
        }
        for (word, count) in other.counts {
            *self.counts.entry(word).or_default() += count;
        }
        self.skipped.extend(other.skipped);
        self
    }
}

fn tally(counts: Counts, top: usize, files: u64, skipped: u64) -> Tally {
    let (words, distinct) = (counts.values().sum(), counts.len() as u64);
    let mut list: Vec<_> = counts.into_iter().collect();
    let by_count = |a: &(Box<str>, u64), b: &(Box<str>, u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0));
    if top < list.len() {
        list.select_nth_unstable_by(top, by_count);
        list.truncate(top);
    }
    list.sort_unstable_by(by_count);
    Tally { top: list, words, distinct, files, skipped }
}

/// Counts the words of `corpus` on `engine`, and lists the `top` most frequent.
///
/// Files are listed by the calling thread, and read and counted in blocks of about 512 KiB: small
/// files are put together, and large ones are cut between words. Only blocks are held in memory, save for a word that is longer than one.
///
/// # Errors
///
/// [`Error::File`] if the folder is missing or cannot be read. What is inside it and cannot be read is
/// counted in [`Tally::skipped`] instead.
pub fn count<E: Engine>(engine: &mut E, corpus: &Corpus, top: usize) -> Result<Tally, Error> {
    count_by(engine, corpus, top, BLOCK)
}

fn count_by<E: Engine>(engine: &mut E, corpus: &Corpus, top: usize, size: u64) -> Result<Tally, Error> {
    let (texts, skipped) = corpus.texts()?;
    let (blocks, binary) = blocks(&texts, size);
    let block = |block: usize| Part::of(&texts, &blocks[block]);
    let mut part = engine.reduce(blocks.len(), Part::default, block, Part::merge);
    part.skipped.sort_unstable();
    part.skipped.dedup();
    let unread = binary + part.skipped.len() as u64;
    Ok(tally(part.counts, top, texts.len() as u64 - unread, skipped + unread))
}

/// Counts the words of `corpus` text by text, without an engine.
///
/// # Errors
///
/// As for [`count`].
pub fn count_serial(corpus: &Corpus, top: usize) -> Result<Tally, Error> {
    let (texts, mut skipped) = corpus.texts()?;
    let mut counts = Counts::default();
    let mut files = 0;
    for text in &texts {
        match add_text(text, &mut counts) {
            Ok(true) => files += 1,
            _ => skipped += 1,
        }
    }
    Ok(tally(counts, top, files, skipped))
}

/// The most frequent words of a corpus.
#[derive(Debug)]
pub struct Wordcount {
    corpus: Corpus,
    top: usize,
    tally: Option<Result<Tally, Error>>,
}

impl Wordcount {
    /// Over any corpus, listing the `top` most frequent words.
    pub fn over(corpus: Corpus, top: usize) -> Self {
        Self { corpus, top, tally: None }
    }

    /// What the last run found, or why it failed.
    pub fn tally(&self) -> Option<&Result<Tally, Error>> {
        self.tally.as_ref()
    }
}

impl Kernel for Wordcount {
    const ENTRY: Entry = Entry {
        name: "wordcount",
        what: "the most frequent words of a folder, or of a made-up corpus",
        shape: Shape::Loop,
        unit: "bytes of made-up text",
        default_size: 32 << 20,
        quick_size: 2 << 20,
        least: 1,
        most: 1 << 31,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        Ok(Self::over(Corpus::Memory(corpus::documents(size)), TOP))
    }

    fn prepare(&mut self) {
        self.tally = None;
    }

    fn serial(&mut self) {
        self.tally = Some(count_serial(&self.corpus, self.top));
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        self.tally = Some(count(engine, &self.corpus, self.top));
    }

    fn answer(&self) -> Answer {
        let Some(Ok(tally)) = &self.tally else { return Answer::Missing };
        let totals = [tally.words, tally.distinct, tally.files, tally.skipped];
        let top = tally.top.iter().flat_map(|(word, count)| word.bytes().map(u64::from).chain([*count]));
        Answer::digest(totals.into_iter().chain(top))
    }
}

#[cfg(test)]
mod tests;
