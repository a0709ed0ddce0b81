//! The pools that have been described so far, while a configuration is put together.

use crate::config::origin::Origin;
use crate::config::settings::Settings;
use crate::config::value::{Given, Misfit};

/// A pool's name and its settings.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) settings: Settings,
}

impl Pool {
    pub(super) fn take(&mut self, key: &str, given: &Given, origin: Origin) -> Option<Result<(), Misfit>> {
        self.settings.take(key, given, origin)
    }
}

/// In the order in which they were first named.
#[derive(Clone, Debug, Default)]
pub(super) struct Pools(pub(super) Vec<Pool>);

impl Pools {
    /// The pool of this name, which is there from now on.
    pub(super) fn entry(&mut self, name: &str) -> &mut Pool {
        let at = self.0.iter().position(|pool| pool.name == name).unwrap_or_else(|| {
            self.0.push(Pool { name: name.to_owned(), settings: Settings::default() });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// What speaks against another pool of this name: that the variables for both would have one name.
    pub(super) fn clash(&self, name: &str) -> Option<String> {
        let other = self.0.iter().find(|pool| pool.name != name && variable(&pool.name) == variable(name))?;
        Some(format!(
            "the pools `{}` and `{name}` would both be set by GRISTMILL_POOL_{}_...: expected names that differ in more than case and dashes",
            other.name,
            variable(name)
        ))
    }
}

/// How a pool is called in the names of variables.
pub(super) fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// What is wrong with a pool's name.
pub(super) fn name_fault(name: &str) -> Option<String> {
    let fits = (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && name.starts_with(|c: char| c.is_ascii_alphabetic());
    (!fits).then(|| {
        format!(
            "`{name}` is no name for a pool: expected a letter, then letters, digits, `_` or `-`, 32 in all"
        )
    })
}
