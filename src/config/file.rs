//! Pools as they stand in a file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::config::error::Fault;
use crate::config::nearest::nearest;
use crate::config::origin::Origin;
use crate::config::pools::{Pools, name_fault};
use crate::config::settings::KEYS;
use crate::config::value::{Given, Misfit};

/// A file's name and text: what a place in it is told with.
struct Source<'a> {
    path: PathBuf,
    text: &'a str,
}

impl Source<'_> {
    /// Line and column of a byte, from 1.
    fn origin(&self, at: usize) -> Origin {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Origin::File {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }

    fn fault(&self, at: usize, key: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault { origin: self.origin(at), key: key.into(), message: message.into() }
    }

    /// The key with which the line around a byte begins, if it does.
    fn key_at(&self, at: usize) -> Option<&str> {
        let at = at.min(self.text.len());
        let start = self.text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[start..].lines().next()?;
        let line = line.trim_start();
        let bare = |b: &u8| b.is_ascii_alphanumeric() || b"_-.".contains(b);
        let key = &line[..line.bytes().take_while(bare).count()];
        (!key.is_empty()).then_some(key)
    }
}

/// Sets what the text says. What is wrong goes to `faults`, all of it, and leaves the key as it was.
pub(super) fn read(path: &Path, text: &str, pools: &mut Pools, faults: &mut Vec<Fault>) {
    let source = Source { path: path.to_owned(), text };
    let (table, errors) = DeTable::parse_recoverable(text);
    // What follows a first slip is often but its consequence.
    if let Some(error) = errors.first() {
        let at = error.span().map_or(0, |span| span.start);
        let key = source.key_at(at).unwrap_or_default();
        let place = if key.is_empty() { String::new() } else { format!(" in `{key}`") };
        let hint = "expected lines such as `pin = \"core\"`, below a `[pool.NAME]`";
        faults.push(source.fault(
            at,
            key,
            format!("this is not TOML{place}: {}; {hint}", error.message().trim()),
        ));
        return;
    }
    for (key, value) in in_order(table.get_ref()) {
        let (name, at) = (key.get_ref().as_ref(), key.span().start);
        if name != "pool" {
            let guess = nearest(name, KEYS.iter().map(|key| key.name));
            let hint = match guess {
                Some(known) => format!("; `{known}` goes below a `[pool.NAME]`"),
                None => String::new(),
            };
            let message = format!("unknown key `{name}`: expected only `[pool.NAME]` tables here{hint}");
            faults.push(source.fault(at, name, message));
            continue;
        }
        let Some(all) = value.get_ref().as_table() else {
            let kind = value.get_ref().type_str();
            let message = format!("`pool` is {}: expected tables `[pool.NAME]`", article(kind));
            faults.push(source.fault(value.span().start, name, message));
            continue;
        };
        for (name, settings) in in_order(all) {
            pool(&source, name.get_ref(), name.span(), settings, pools, faults);
        }
    }
}

fn pool(
    source: &Source<'_>,
    name: &str,
    at: Range<usize>,
    settings: &toml::Spanned<DeValue<'_>>,
    pools: &mut Pools,
    faults: &mut Vec<Fault>,
) {
    let path = format!("pool.{name}");
    let Some(settings) = settings.get_ref().as_table() else {
        let hint = match KEYS.iter().find(|key| key.name == name) {
            Some(_) => format!("`{name}` is a key of a pool: expected below a `[pool.NAME]`"),
            None => format!("expected a table `[pool.{name}]`"),
        };
        let kind = settings.get_ref().type_str();
        faults.push(source.fault(at.start, path, format!("`{name}` is {} in [pool]: {hint}", article(kind))));
        return;
    };
    if let Some(message) = name_fault(name).or_else(|| pools.clash(name)) {
        faults.push(source.fault(at.start, path, message));
        return;
    }
    let pool = pools.entry(name);
    for (key, value) in in_order(settings) {
        let (key, key_at) = (key.get_ref().as_ref(), key.span().start);
        let (span, value) = (value.span(), value.get_ref());
        let full = format!("{path}.{key}");
        let given = given(value);
        match pool.take(key, &given, source.origin(span.start)) {
            Some(Ok(())) => {}
            Some(Err(misfit)) => {
                let mut at = span.start;
                if let Misfit::Within(error) = &misfit {
                    // Only where the text stands as it is read can a byte of it be pointed at.
                    let raw = source.text.get(span.clone()).unwrap_or_default();
                    if let Given::Text(text) = &given {
                        if raw.len() == text.len() + 2 && raw[1..raw.len() - 1] == *text {
                            at += 1 + error.position();
                        }
                    }
                }
                faults.push(source.fault(at, &full, misfit_message(name, key, &given, &misfit)));
            }
            None => faults.push(source.fault(key_at, &full, unknown_message(name, key))),
        }
    }
}

/// Says that a value does not fit its key, and what would.
pub(super) fn misfit_message(pool: &str, key: &str, given: &Given, misfit: &Misfit) -> String {
    let expects = KEYS.iter().find(|known| known.name == key).map_or("", |known| known.expects);
    match misfit {
        Misfit::Unexpected => format!("`{key}` of [pool.{pool}] cannot be {given}: expected {expects}"),
        Misfit::Within(error) => {
            format!("`{key}` of [pool.{pool}] cannot be {given}: {error}; expected {expects}")
        }
    }
}

/// Says that there is no such key, and which one might be meant.
pub(super) fn unknown_message(pool: &str, key: &str) -> String {
    let guess = nearest(key, KEYS.iter().map(|known| known.name));
    let guess = guess.and_then(|guess| KEYS.iter().find(|known| known.name == guess));
    match guess {
        Some(known) => {
            format!(
                "unknown key `{key}` in [pool.{pool}]; did you mean `{}`? ({})",
                known.name, known.expects
            )
        }
        None => {
            let all: Vec<&str> = KEYS.iter().map(|known| known.name).collect();
            format!("unknown key `{key}` in [pool.{pool}]; expected one of {}", all.join(", "))
        }
    }
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// The entries of a table in the order of the text.
fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a toml::Spanned<std::borrow::Cow<'i, str>>, &'a toml::Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn given(value: &DeValue<'_>) -> Given {
    let number = |value: &DeValue<'_>| {
        let number = value.as_integer()?;
        i128::from_str_radix(number.as_str(), number.radix()).ok()
    };
    match value {
        DeValue::String(text) => Given::Text(text.to_string()),
        DeValue::Integer(_) => {
            number(value).map_or(Given::Other("a number that is too large"), Given::Number)
        }
        DeValue::Boolean(yes) => Given::Bool(*yes),
        DeValue::Array(items) => {
            let numbers: Option<Vec<i128>> = items.iter().map(|item| number(item.get_ref())).collect();
            numbers.map_or(Given::Other("an array with more than numbers in it"), Given::Numbers)
        }
        DeValue::Float(_) => Given::Other("a float"),
        DeValue::Datetime(_) => Given::Other("a date"),
        DeValue::Table(_) => Given::Other("a table"),
    }
}
