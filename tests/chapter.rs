//! `CHAPTER.md` against the sources: every row of the chapter is there once, and every path that it names exists.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[path = "chapter/library.rs"]
mod library;

use library::Library;

/// How many rows each part of the chapter has, by what their ids begin with.
const ROWS: &[(&str, usize)] = &[("thr", 102), ("rt", 31), ("q", 32), ("sch", 14), ("cv", 24), ("cf", 80)];

/// What stands in place of a path.
const NONE: &str = "no counterpart";

/// What stands before a path that is not there yet.
const PLANNED: &str = "planned: ";

/// Everything that is wrong with the page, one line each.
fn faults(page: &str, library: &Library, rows: &[(&str, usize)]) -> Vec<String> {
    let (mut faults, mut lines) = (Vec::new(), BTreeMap::new());
    for (number, line) in (1..).zip(page.lines()) {
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|')) else {
            continue;
        };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let is_head = cells.iter().all(|cell| cell.chars().all(|mark| "-: ".contains(mark)));
        if is_head || cells.first() == Some(&"id") {
            continue;
        }
        let mut fault = |text: String| faults.push(format!("CHAPTER.md:{number}: {text}"));
        let &[id, path, difference] = &cells[..] else {
            fault(format!("{} cells; a row is `| id | Rust path | difference |`", cells.len()));
            continue;
        };
        if !is_id(id, rows) {
            fault(format!("`{id}` is no id of a row in scope"));
        } else if let Some(before) = lines.insert(id, number) {
            fault(format!("`{id}` stands in line {before} already"));
        }
        if path == NONE {
            if difference.is_empty() {
                fault(format!("`{id}` has {NONE} and no reason"));
            }
            continue;
        }
        if path.starts_with(PLANNED) {
            if difference.is_empty() {
                fault(format!("`{id}` is planned, and nothing says with what"));
            }
            continue;
        }
        for part in path.split(", ") {
            match part.strip_prefix('`').and_then(|part| part.strip_suffix('`')) {
                None => fault(format!("`{id}`: {part:?} is no path in backticks, nor `{NONE}`")),
                Some(path) if !library.has(path) => fault(format!("`{id}`: there is no public `{path}`")),
                Some(_) => {}
            }
        }
    }
    for &(prefix, wanted) in rows {
        let found = lines.keys().filter(|id| id.split('.').next() == Some(prefix)).count();
        if found != wanted {
            faults.push(format!("CHAPTER.md: {found} rows of `{prefix}.`, and there should be {wanted}"));
        }
    }
    faults
}

fn is_id(id: &str, rows: &[(&str, usize)]) -> bool {
    let mut parts = id.split('.');
    let known = parts.next().is_some_and(|prefix| rows.iter().any(|(known, _)| *known == prefix));
    let mut rest = parts.peekable();
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|mark| mark.is_alphanumeric() || mark == '_');
    known && rest.peek().is_some() && rest.all(word)
}

#[test]
fn every_row_is_there_and_every_path_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("CHAPTER.md")).unwrap();
    let faults = faults(&page, &Library::read(&root.join("src")), ROWS);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// A small crate with everything that the real one does with paths.
fn mock() -> Library {
    Library::of(&[
        (
            "lib.rs",
            "mod hidden; pub mod room; pub use hidden::inner::{Deep, deep as shallow}; mod prim;
             #[macro_export] macro_rules! shout { () => {} } macro_rules! whisper { () => {} }
             pub use std::sync::Arc;",
        ),
        (
            "hidden/mod.rs",
            "pub(crate) mod inner; pub fn unreachable() {} pub use inner::Deep as Renamed; pub struct Made;",
        ),
        (
            "hidden/inner.rs",
            "use crate::room::Open; pub struct Deep; pub fn deep() {} pub(crate) struct Closed;
             impl Deep { pub fn shown(&self) {} fn kept(&self) {} pub const SIZE: usize = 1; }
             impl Open { pub fn from_afar(&self) {} }
             impl Iterator for Deep { type Item = u8; fn next(&mut self) -> Option<u8> { None } }",
        ),
        (
            "room.rs",
            "pub use crate::hidden::*; pub enum Open { This, That(u8) } pub trait Does { fn it(&self); }
             pub type Alias = super::hidden::inner::Deep; fn private() {} pub const LIMIT: u8 = 1;
             impl<T> Generic<T> { crate::prim::const_fn! { pub(crate) fn inside() -> u8 { 1 } }
               const_fn! { /// Words.
               pub fn made() -> u8 { fn nested() {} 1 } } }
             pub struct Generic<T>(T); #[cfg(test)] pub mod tests { pub fn gone() {} }
             pub mod nested { pub use super::Generic; pub static NAME: &str = \"\"; }",
        ),
        ("prim.rs", ""),
    ])
}

#[test]
fn paths_that_exist() {
    let library = mock();
    for path in [
        "room",
        "room::Open",
        "room::Open::This",
        "room::Open::That",
        "room::Open::from_afar",
        "room::Does::it",
        "room::LIMIT",
        "room::Alias::shown",
        "room::Alias::SIZE",
        "room::Generic::made",
        "room::nested::Generic::made",
        "room::nested::NAME",
        "room::Renamed::shown",
        "room::Made",
        "Deep",
        "Deep::next",
        "shallow",
        "shout",
    ] {
        assert!(library.has(&format!("gristmill::{path}")), "{path}");
    }
}

#[test]
fn paths_that_do_not() {
    let library = mock();
    for path in [
        "",
        "rooms",
        "room::open",
        "room::Open::These",
        "room::Open::This::That",
        "room::private",
        "room::Generic::inside",
        "room::Generic::nested",
        "room::tests::gone",
        "room::nested::LIMIT",
        "hidden",
        "hidden::unreachable",
        "hidden::inner::Deep",
        "room::inner::Deep",
        "Deep::kept",
        "Deep::show",
        "deep",
        "Closed",
        "whisper",
        "Arc",
        "Deep<T>",
        "Deep::shown()",
    ] {
        assert!(!library.has(&format!("gristmill::{path}")), "{path}");
    }
    for path in ["room::Open", "std::sync::Arc", "crate::room", "gristmill", "gristmil::room"] {
        assert!(!library.has(path), "{path}");
    }
}

#[test]
fn what_is_wrong_with_a_page() {
    let (library, rows) = (mock(), [("thr", 2), ("rt", 1)]);
    let page = |rows: &str| format!("# Page\n\n| id | Rust path | difference |\n|---|---|---|\n{rows}\n");
    let good = "| thr.a | `gristmill::Deep` | |\n| thr.b.c | no counterpart | there are no dogs |\n\
                | rt.__d__ | `gristmill::Deep`, `gristmill::room::LIMIT` | other |";
    assert_eq!(faults(&page(good), &library, &rows), [""; 0]);
    for (from, to, fault) in [
        ("gristmill::Deep`,", "gristmill::Deeper`,", "there is no public `gristmill::Deeper`"),
        ("`gristmill::Deep` ", "gristmill::Deep ", "is no path in backticks"),
        ("thr.b.c", "thr.a", "`thr.a` stands in line 5 already"),
        ("thr.b.c", "thr.", "`thr.` is no id"),
        ("thr.b.c", "mp.b", "`mp.b` is no id"),
        ("there are no dogs", "", "no reason"),
        ("other", "other | more", "4 cells"),
        ("| rt.", "x | rt.", "0 rows of `rt.`, and there should be 1"),
    ] {
        let bad = good.replacen(from, to, 1);
        let found = faults(&page(&bad), &library, &rows);
        assert!(found.iter().any(|line| line.contains(fault)), "{fault}: {found:?}");
    }
}
