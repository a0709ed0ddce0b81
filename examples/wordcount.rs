//! Counts the words of the files given as arguments, or else of this library's own sources.
//!
//! ```sh
//! cargo run --release --example wordcount -- README.md ARCHITECTURE.md
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

type Counts = HashMap<String, u64>;

/// Adds the words of one file, in lower case.
fn count(mut counts: Counts, path: &Path) -> io::Result<Counts> {
    // Reading may wait for a disk; `blocking` lets another thread work meanwhile.
    let text = gristmill::blocking(|| fs::read_to_string(path))?;
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    Ok(counts)
}

fn merge(left: Counts, right: Counts) -> Counts {
    let (mut large, small) = if left.len() < right.len() { (right, left) } else { (left, right) };
    for (word, n) in small {
        *large.entry(word).or_default() += n;
    }
    large
}

/// Every Rust file below `folder`.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let mut paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut paths)?;
    }
    // Each worker counts runs of files into a map of its own; maps are merged where runs meet.
    let counts = gristmill::par_reduce(
        &paths,
        || Ok(Counts::new()),
        |counts, path| count(counts?, path),
        |left, right| Ok(merge(left?, right?)),
    )?;
    let total: u64 = counts.values().sum();
    let mut words: Vec<(&String, &u64)> = counts.iter().collect();
    words.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    println!("{total} words in {} files, {} of them different", paths.len(), words.len());
    for (word, n) in words.iter().take(10) {
        println!("{n:8} {word}");
    }
    Ok(())
}
