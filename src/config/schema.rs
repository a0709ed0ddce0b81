//! The JSON schema of a configuration file.

use std::fmt::Write;

use crate::config::settings::KEYS;

/// The JSON schema (draft 7) of a configuration file, for editors that complete and check TOML by one.
///
/// The file `gristmill.schema.json` beside the sources holds it.
///
/// # Examples
///
/// ```
/// assert!(gristmill::config::json_schema().contains("\"stack_size\""));
/// ```
#[must_use]
pub fn json_schema() -> String {
    let mut keys = String::new();
    for (i, key) in KEYS.iter().enumerate() {
        // What a key expects is an object, so its description can go in front of the rest.
        let rest = key.schema.strip_prefix('{').unwrap_or(key.schema);
        let comma = if i + 1 < KEYS.len() { "," } else { "" };
        let about = quoted(key.about.trim());
        let _ = writeln!(keys, "          \"{}\": {{\"description\": {about}, {rest}{comma}", key.name);
    }
    format!(
        r#"{{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "gristmill.toml",
  "description": "Pools of workers, by name",
  "type": "object",
  "additionalProperties": false,
  "properties": {{
    "pool": {{
      "type": "object",
      "propertyNames": {{"pattern": "^[A-Za-z][A-Za-z0-9_-]{{0,31}}$"}},
      "additionalProperties": {{
        "type": "object",
        "additionalProperties": false,
        "properties": {{
{keys}        }}
      }}
    }}
  }}
}}
"#
    )
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `GRISTMILL_WRITE_SCHEMA=1 cargo test --lib config::schema` writes the file anew.
    #[test]
    fn the_committed_schema_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("gristmill.schema.json");
        if std::env::var_os("GRISTMILL_WRITE_SCHEMA").is_some() {
            std::fs::write(&path, json_schema()).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == json_schema(),
            "{} is not current: set GRISTMILL_WRITE_SCHEMA=1",
            path.display()
        );
    }
}
