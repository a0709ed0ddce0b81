//! Words, folders and cuts.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use super::{BLOCK, Tally, Wordcount, count, count_by, count_serial};
use crate::answer::Answer;
use crate::corpus::{self, Corpus, Document};
use crate::engine::Serial;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::suite::{self, Backward, Threads};

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("kernels-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn corpus(&self) -> Corpus {
        Corpus::Folder(self.0.clone())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn memory(texts: &[&[u8]]) -> Corpus {
    let document = |text: &&[u8]| Document { name: String::new(), text: text.to_vec() };
    Corpus::Memory(texts.iter().map(document).collect())
}

fn top(tally: &Tally) -> Vec<(&str, u64)> {
    tally.top.iter().map(|(word, count)| (&**word, *count)).collect()
}

#[test]
fn words_as_unicode_has_them() {
    let text = "Été été, ÉTÉ! naïve-naïve 3rd_3rd ΟΔΟΣ 東京 \u{301}b";
    let tally = count_serial(&memory(&[text.as_bytes()]), 3).unwrap();
    assert_eq!(top(&tally), [("été", 3), ("3rd", 2), ("naïve", 2)]);
    assert_eq!((tally.words, tally.distinct, tally.files), (10, 6, 1));
    let tally = count_serial(&memory(&[b"caf\xe9 caf\xffcaf"]), 9).unwrap();
    assert_eq!(top(&tally), [("caf", 3)]);
}

#[test]
fn ties_go_by_word() {
    let corpus = memory(&[b"d c b a d"]);
    for (most, expected) in
        [(0, vec![]), (2, vec![("d", 2), ("a", 1)]), (3, vec![("d", 2), ("a", 1), ("b", 1)])]
    {
        assert_eq!(top(&count(&mut Serial, &corpus, most).unwrap()), expected);
        assert_eq!(top(&count_serial(&corpus, most).unwrap()), expected);
    }
}

#[test]
fn cuts_do_not_matter() {
    let mut documents = corpus::documents(3000);
    documents.push(Document {
        name: "long".into(),
        text: b"no break ".repeat(3).into_iter().chain([b'x'; 400]).collect(),
    });
    documents.push(Document { name: "broken".into(), text: b"\xc3\xa9\xc3 \xa9\xff,\xe2\x82".repeat(20) });
    documents.push(Document { name: "binary".into(), text: b"a b c\0".repeat(30) });
    documents.push(Document { name: "empty".into(), text: Vec::new() });
    let corpus = Corpus::Memory(documents);
    let expected = count_serial(&corpus, 100).unwrap();
    assert_eq!(expected.skipped, 1);
    for size in (1..40).chain([100, 1000, 5000]) {
        assert_eq!(count_by(&mut Serial, &corpus, 100, size).unwrap(), expected, "blocks of {size}");
    }
    assert_eq!(count_by(&mut Threads::new(), &corpus, 100, 700).unwrap(), expected);
    assert_eq!(count_by(&mut Backward, &corpus, 100, 700).unwrap(), expected);
}

#[test]
fn a_folder_is_what_was_written_to_it() {
    let folder = Folder::new("same");
    let documents = corpus::documents(1 << 20);
    corpus::write(&documents, &folder.0).unwrap();
    let expected = count_serial(&Corpus::Memory(documents), 10).unwrap();
    assert_eq!(count_serial(&folder.corpus(), 10).unwrap(), expected);
    assert_eq!(count(&mut Threads::new(), &folder.corpus(), 10).unwrap(), expected);
}

#[test]
fn what_is_no_text_is_skipped_and_counted() {
    let folder = Folder::new("skip");
    fs::create_dir_all(folder.0.join("inner/deep")).unwrap();
    fs::write(folder.0.join("inner/deep/a"), "one two").unwrap();
    fs::write(folder.0.join("b"), "").unwrap();
    fs::write(folder.0.join("binary"), b"one\0two").unwrap();
    fs::write(folder.0.join("large"), vec![0; BLOCK as usize + 1]).unwrap();
    fs::write(folder.0.join("late"), [b"one ".repeat(3000), vec![0]].concat()).unwrap();
    std::os::unix::fs::symlink(&folder.0, folder.0.join("round")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.0.join("dangling")).unwrap();
    let tally = count(&mut Serial, &folder.corpus(), 5).unwrap();
    assert_eq!(top(&tally), [("one", 3001), ("two", 1)]);
    assert_eq!((tally.files, tally.skipped), (3, 4));
    assert_eq!(count_serial(&folder.corpus(), 5).unwrap(), tally);
}

#[test]
fn a_file_is_a_corpus_of_one() {
    let folder = Folder::new("one");
    let path = folder.0.join("text");
    fs::write(&path, "a b a").unwrap();
    let tally = count(&mut Serial, &Corpus::Folder(path), 1).unwrap();
    assert_eq!((top(&tally), tally.files), (vec![("a", 2)], 1));
}

#[test]
fn a_missing_folder_is_an_error_that_names_it() {
    let missing = Path::new("no/such/folder");
    let mut kernel = Wordcount::over(Corpus::Folder(missing.into()), 5);
    let answer = suite::run(&mut kernel, Serial);
    assert!(matches!(answer, Answer::Missing));
    let Some(Err(error @ Error::File { path, .. })) = kernel.tally() else { panic!("no error") };
    assert_eq!(path, missing);
    assert!(error.to_string().starts_with("no/such/folder: "));
    assert!(count_serial(&Corpus::Folder(missing.into()), 5).is_err());
}

#[test]
fn engines_agree() {
    suite::agree::<Wordcount>(&[2, 100, 4095, 2 * BLOCK as usize + 1, 5 * BLOCK as usize]);
    assert_eq!(Wordcount::ENTRY.least, 1);
}
