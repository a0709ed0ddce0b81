//! The floors of `ARCHITECTURE.md`: what may import what, checked against the sources.
//!
//! - A top-level module imports only modules on lower floors; its tests may also look at their own floor.
//! - The files of the crate form no circle, at the grain of files. (Tests may import what they test.)
//! - Some modules never meet although their floors would allow it; a foreign crate has one file that knows it.
//! - A module has a name that says what is in it.
//! - A file that opts into unsafe code stands in `SAFETY.md`.
//!
//! Sources are read as tokens, so comments, documentation and strings do not count, and every path in an
//! expression counts like a `use`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;

#[path = "floors/paths.rs"]
mod paths;

use paths::{Mention, Module, Walk, idents};

/// Every top-level module that there is or will be, and its floor. A file named here stands apart from its room.
const FLOORS: &[(&str, u32)] = &[
    (FRONT_DOOR, 8),
    ("compile_fail", 8),
    ("concurrent", 7),
    ("multiprocessing", 6),
    ("mill", 5),
    ("ring", 5),
    ("threading", 4),
    ("queue", 4),
    ("sched", 4),
    ("future", 4),
    ("locality", 4),
    ("sync", 3),
    ("thread", 3),
    ("subprocess", 3),
    ("shm", 3),
    ("topology", 3),
    ("config", 3),
    ("sys", 2),
    ("contextvars", 2),
    ("sync::help", 2),
    ("sync::spin", 2),
    ("prim", 1),
    ("unwind", 1),
    ("rng", 1),
];

/// What `lib.rs` is called in the table.
const FRONT_DOOR: &str = "lib.rs";

/// Downward imports that are wrong all the same: the mill runs jobs, executors give them meaning.
const NEVER: &[(&str, &str)] = &[("mill", "future")];

/// Foreign crates, and the one file or folder under `src` that may name them.
const FOREIGN: &[(&str, &str)] = &[
    ("crossbeam_deque", "mill/deque.rs"),
    ("crossbeam_epoch", "mill/roster.rs"),
    ("core_affinity", "sys/affinity.rs"),
    ("hwloc2", "topology/hwloc.rs"),
    ("memmap2", "shm/segment.rs"),
    ("toml", "config/file.rs"),
    ("libc", "sys/"),
    ("rustix", "sys/"),
];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "core", "details", "misc"];

/// A source file.
struct File {
    /// Below `src`, with slashes.
    name: String,
    module: Module,
    /// Every line of it is test code.
    is_test: bool,
    tokens: TokenStream,
}

impl File {
    fn parse(name: &str, text: &str) -> File {
        let tokens = text.parse().unwrap_or_else(|error| panic!("src/{name} cannot be read: {error}"));
        let mut module: Module = name
            .trim_end_matches(".rs")
            .split('/')
            .map(|part| part.trim_start_matches("r#").to_owned())
            .collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        let is_test = module.iter().any(|part| matches!(part.as_str(), "tests" | "models"));
        File { name: name.to_owned(), module, is_test, tokens }
    }
}

/// All files of a crate.
struct House {
    files: BTreeMap<Module, File>,
}

impl House {
    fn new(files: impl IntoIterator<Item = File>) -> House {
        House { files: files.into_iter().map(|file| (file.module.clone(), file)).collect() }
    }

    fn of(sources: &[(&str, &str)]) -> House {
        House::new(sources.iter().map(|(name, text)| File::parse(name, text)))
    }

    fn read(src: &Path) -> House {
        let (mut files, mut folders) = (Vec::new(), vec![src.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path.strip_prefix(src).unwrap().to_str().unwrap().replace('\\', "/");
                    files.push(File::parse(&name, &fs::read_to_string(&path).unwrap()));
                }
            }
        }
        House::new(files)
    }

    /// The file that a path leads to: that of the innermost module on it.
    fn resolve(&self, path: &[String]) -> Option<&File> {
        (0..=path.len()).rev().find_map(|length| self.files.get(&path[..length]))
    }

    fn mentions(&self, file: &File) -> Vec<Mention> {
        let mut mentions = Vec::new();
        let is_module = |module: &Module| self.files.contains_key(module);
        let walk = Walk { is_module: &is_module, module: file.module.clone(), in_test: file.is_test };
        walk.stream(file.tokens.clone(), &mut mentions);
        mentions
    }

    /// Everything that is wrong, one line each.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for file in self.files.values() {
            for mention in self.mentions(file) {
                let Some(target) = self.resolve(&mention.path).filter(|target| target.module != file.module)
                else {
                    continue;
                };
                let place = format!("src/{}:{}", file.name, mention.line);
                faults.extend(import_fault(&place, file, &mention, target));
                if !mention.in_test && !target.is_test {
                    edges.entry(&file.name).or_default().insert(&target.name);
                }
            }
            faults.extend(foreign_faults(file));
            faults.extend(name_faults(file));
        }
        faults.extend(circle(&edges).map(|circle| format!("files in a circle: {}", circle.join(" -> "))));
        faults
    }
}

/// A module's name in the table.
fn room(module: &[String]) -> &str {
    let apart = FLOORS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.contains("::") && name.split("::").eq(module.iter().map(String::as_str).take(2)));
    apart.unwrap_or_else(|| module.first().map_or(FRONT_DOOR, String::as_str))
}

fn floor(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|&(_, floor)| floor)
}

fn import_fault(place: &str, file: &File, mention: &Mention, target: &File) -> Option<String> {
    let (from, to) = (room(&file.module), room(&target.module));
    if from == to {
        return None;
    }
    let path = mention.path.join("::");
    let (Some(here), Some(there)) = (floor(from), floor(to)) else {
        return Some(format!(
            "{place}: `{from}` or `{to}` stands on no floor; give it one in tests/floors.rs"
        ));
    };
    if NEVER.contains(&(from, to)) {
        return Some(format!("{place}: `{from}` must never import `{to}` (crate::{path})"));
    }
    let allowed = there < here || (mention.in_test && there == here);
    (!allowed).then(|| {
        format!("{place}: `{from}` on floor {here} imports crate::{path}, which is `{to}` on floor {there}")
    })
}

fn foreign_faults(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    idents(file.tokens.clone(), &mut |name, line| {
        if name == "kernels" {
            faults.push(format!("src/{}:{line}: nothing in src names `kernels`", file.name));
        }
        let home = FOREIGN.iter().find(|(krate, _)| *krate == name).map(|&(_, home)| home);
        if let Some(home) = home.filter(|home| !file.name.starts_with(home)) {
            faults.push(format!("src/{}:{line}: `{name}` may be named only in src/{home}", file.name));
        }
    });
    faults
}

fn name_faults(file: &File) -> Option<String> {
    let name = file.module.last().filter(|name| EMPTY_NAMES.contains(&name.as_str()))?;
    Some(format!("src/{}: `{name}` says nothing about what is in it", file.name))
}

/// Some circle in the graph, its first file repeated at its end.
fn circle<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    fn visit<'a>(
        file: &'a str,
        edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        if let Some(start) = way.iter().position(|&seen| seen == file) {
            return Some(way[start..].iter().copied().chain([file]).collect());
        }
        if done.contains(file) {
            return None;
        }
        way.push(file);
        let found = edges.get(file).into_iter().flatten().find_map(|next| visit(next, edges, way, done));
        way.pop();
        done.insert(file);
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|file| visit(file, edges, &mut Vec::new(), &mut done))
}

#[test]
fn this_house_stands_on_its_floors() {
    let house = House::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let faults = house.faults();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    let house = House::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let rooms: BTreeSet<&str> = house.files.keys().map(|module| room(module)).collect();
    let homeless: Vec<_> = rooms.into_iter().filter(|room| floor(room).is_none()).collect();
    assert!(homeless.is_empty(), "give these a floor in tests/floors.rs: {homeless:?}");
}

#[test]
fn files_that_opt_into_unsafe_code_stand_in_safety_md() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SAFETY.md")).unwrap();
    for file in House::read(&root.join("src")).files.values() {
        let text = fs::read_to_string(root.join("src").join(&file.name)).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let listed = page.contains(&format!("`{}`", file.name)) || file.name.starts_with("sys/");
        assert!(listed || !code.contains("allow(unsafe_code"), "src/{} is not in SAFETY.md", file.name);
    }
}

/// Checks one file among empty ones for the modules it may name.
fn faults_of(name: &str, text: &str) -> Vec<String> {
    let others = [
        "lib.rs",
        "mill/mod.rs",
        "mill/job.rs",
        "sync/mod.rs",
        "sync/help.rs",
        "sys/mod.rs",
        "topology/mod.rs",
        "future.rs",
    ];
    let others = others.into_iter().filter(|other| *other != name).map(|other| (other, ""));
    House::of(&others.chain([(name, text)]).collect::<Vec<_>>()).faults()
}

#[test]
fn an_upward_import_is_found_in_every_form() {
    for text in [
        "use crate::mill;",
        "use crate::mill::job::Job;",
        "use crate::{sys::futex, mill::{job}};",
        "use {crate::sys, crate::mill::job::*};",
        "fn f() { crate::mill::job::run::<u8>(1) }",
        "pub use super::mill::job;",
        "type T = Option<crate::mill::Job>;",
        "mod inner { use super::super::mill::job; }",
        "macro_rules! m { () => { $crate::mill::job() } }",
        "#[cfg(not(test))] use crate::mill::job;",
        "#[cfg(test)] mod tests {} use crate::mill::job;",
        "#[cfg(test)] mod tests { use crate::mill::job; }",
        "use crate::Mill;",
    ] {
        let faults = faults_of("sync/mod.rs", text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].starts_with("src/sync/mod.rs:1: `sync` on floor 3 imports crate::"), "{faults:?}");
    }
}

#[test]
fn what_is_not_an_import_is_let_through() {
    for text in [
        "//! See [`crate::mill`].\n/* crate::mill::job */ /// crate::mill\nfn f() {}",
        r##"const A: &str = "crate::mill::job"; const B: &str = r#"crate::mill"#; const C: char = '"';"##,
        "pub(crate) fn f<'a>(a: &'a str) -> &'a str { a }",
        "use crate::sys; use crate::{sys::futex};",
        "use std::sync::Arc; fn f() { mill::job() }",
        "#[cfg(test)] mod tests { use super::*; use crate::topology::Map; }",
    ] {
        assert_eq!(faults_of("sync/mod.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn neighbours_on_one_floor_do_not_meet_outside_of_tests() {
    assert_eq!(faults_of("sync/mod.rs", "use crate::topology::Map;").len(), 1);
    assert_eq!(faults_of("sync/tests.rs", "use crate::topology::Map;"), [""; 0]);
}

#[test]
fn a_file_that_stands_apart_has_a_floor_of_its_own() {
    assert_eq!(faults_of("topology/mod.rs", "use crate::sync::help::asleep;"), [""; 0]);
    assert_eq!(faults_of("sync/mod.rs", "use crate::sync::help::asleep;"), [""; 0]);
    assert_eq!(faults_of("topology/mod.rs", "use crate::sync::Lock;").len(), 1);
    assert!(faults_of("sync/help.rs", "use crate::sync::Lock;")[0].contains("`sync::help` on floor 2"));
}

#[test]
fn the_mill_knows_nothing_of_futures() {
    assert!(faults_of("mill/job.rs", "use crate::future::Future;")[0].contains("must never import `future`"));
}

#[test]
fn a_room_without_a_floor_is_a_fault() {
    assert!(faults_of("attic.rs", "use crate::sys::futex;")[0].contains("stands on no floor"));
}

#[test]
fn a_circle_of_files_is_shown() {
    let house = House::of(&[
        ("lib.rs", "mod mill;"),
        ("mill/mod.rs", "mod a; mod b; mod c; pub use a::A;"),
        ("mill/a.rs", "use crate::mill::b::B;"),
        ("mill/b.rs", "use super::c;\n#[cfg(test)] mod tests { use crate::mill::a; }"),
        ("mill/c.rs", "fn f() { crate::mill::a::g() }"),
    ]);
    assert_eq!(house.faults(), ["files in a circle: mill/a.rs -> mill/b.rs -> mill/c.rs -> mill/a.rs"]);
}

#[test]
fn a_file_that_goes_through_its_own_front_door_is_in_a_circle() {
    let house = House::of(&[
        ("mill/mod.rs", "mod a; mod b; pub use a::A;"),
        ("mill/a.rs", "use crate::mill::A;"),
        ("mill/b.rs", "use crate::mill::a::A;"),
    ]);
    assert_eq!(house.faults(), ["files in a circle: mill/a.rs -> mill/mod.rs -> mill/a.rs"]);
}

#[test]
fn a_foreign_crate_has_one_file() {
    for (name, text) in [
        ("mill/job.rs", "use crossbeam_deque as deque;"),
        ("mill/deque.rs", "use crossbeam_epoch::pin;"),
        ("mill/job.rs", "fn f() { unsafe { libc::getpid() }; }"),
        ("topology/mod.rs", "use ::{memmap2::Mmap};"),
        ("topology/mod.rs", "#[cfg(test)] mod tests { use kernels::fib; }"),
    ] {
        assert_eq!(faults_of(name, text).len(), 1, "{name}: {text}");
    }
    for (name, text) in [
        ("mill/deque.rs", "use crossbeam_deque as deque;"),
        ("sys/stack.rs", "fn f() { unsafe { libc::getpid() }; }"),
        ("topology/mod.rs", "//! kernels, libc and memmap2"),
    ] {
        assert_eq!(faults_of(name, text), [""; 0], "{name}: {text}");
    }
}

#[test]
fn a_name_that_says_nothing_is_a_fault() {
    assert!(faults_of("mill/utils.rs", "")[0].contains("`utils` says nothing"));
    assert!(faults_of("sys/common/mod.rs", "")[0].contains("`common` says nothing"));
}
