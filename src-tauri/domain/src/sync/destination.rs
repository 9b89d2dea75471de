//! Where records go (contract section 9.2), and the files that Relink adds as a destination (**ours**).

use serde_json::Value;

use crate::template::Template;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub kind: DestinationKind,
    /// Its whole `config`.
    pub config: Option<Template>,
    /// The nodes whose records go here, by their places in the graph.
    pub sources: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationKind {
    /// `config.id` is a webhook.
    Webhook,
    /// `config.id` is a datastore. With `loop_on` each element of that list is delivered by itself.
    Datastore { method: String, loop_on: Option<Vec<String>> },
    /// A file, see [`FileDestination`] (**ours**).
    File {
        /// Whether a record that comes again replaces the earlier one, so that each record has one row.
        replaces: bool,
    },
    /// Where the run itself leads: its `webhook_id` for a flat job, the answer for a batch (contract sections 0.6 and 9.3).
    Run,
}

impl DestinationKind {
    /// Its `destination_type`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Datastore { .. } => "datastore",
            Self::File { .. } => "file",
            Self::Run => "run",
        }
    }
}

/// The `config` of a file destination: `{path, format, table?, key?}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDestination {
    /// Relative, with `/`, and never out of the folder that the person allowed.
    pub path: String,
    pub format: FileFormat,
    /// The table of an SQLite file. Left out: named after the resource.
    pub table: Option<String>,
    /// The field of a record that identifies it, so that a record that comes again replaces the earlier one. For SQLite alone.
    pub key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    Sqlite,
    /// JSON Lines: a record in each line.
    Jsonl,
    Parquet,
}

const FORMATS: &[(&str, FileFormat)] =
    &[("sqlite", FileFormat::Sqlite), ("jsonl", FileFormat::Jsonl), ("parquet", FileFormat::Parquet)];

/// What is wrong with the `config` of a file destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct FileProblem {
    pub key: &'static str,
    pub problem: String,
}

impl FileDestination {
    /// Reads a config: one whose templates are filled, or before that, to find what is wrong already.
    pub fn read(config: &Value) -> Result<Self, FileProblem> {
        let fail = |key, problem: &str| FileProblem { key, problem: problem.to_owned() };
        let text = |key: &'static str| match config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(fail(key, "must be a string that isn't empty.")),
        };
        let path = text("path")?.ok_or_else(|| fail("path", "is missing. Add one, such as \"tickets.sqlite\"."))?;
        check_path(&path).map_err(|problem| fail("path", problem))?;
        let known = "Use sqlite, jsonl or parquet.";
        let format = text("format")?.ok_or_else(|| fail("format", &format!("is missing. {known}")))?;
        let found = FORMATS.iter().find(|(word, _)| *word == format);
        let (_, format) = found.ok_or_else(|| fail("format", &format!("{format:?} isn't known. {known}")))?;
        let (table, key) = (text("table")?, text("key")?);
        if *format != FileFormat::Sqlite
            && let Some(given) = table.as_ref().map(|_| "table").or(key.as_ref().map(|_| "key"))
        {
            return Err(fail(given, "is for the format sqlite alone. Take it away, or use that format."));
        }
        Ok(Self { path, format: *format, table, key })
    }
}

/// The folder is the person's to allow: the path stays below it on every system.
fn check_path(path: &str) -> Result<(), &'static str> {
    let is_drive = |segment: &str| segment.contains(':') && !segment.contains("{{");
    let is_bad = |segment: &str| {
        segment.trim().is_empty()
            || segment.trim_matches(['.', ' ']).is_empty()
            || segment.len() > 200
            || segment.ends_with(['.', ' '])
            || is_drive(segment)
    };
    if path.contains('\\') || path.chars().any(char::is_control) {
        return Err("may not have a backslash or a control character. Separate folders with /.");
    }
    if path.starts_with(['/', '~']) || path.split('/').any(is_bad) {
        return Err(
            "must be relative to the folder that you allowed, such as \"exports/tickets.sqlite\", without . and .. and without a colon.",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_stays_below_its_folder() {
        for path in ["a.sqlite", "exports/2026/tickets.jsonl", "{{args.name:str}}/x", ".hidden", "a..b"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        let long = "x".repeat(201);
        for path in [
            "",
            " ",
            "/etc/passwd",
            "~/x",
            "../x",
            "a/../x",
            "a/./x",
            "a//x",
            "a/",
            "..",
            "...",
            "c:/x",
            "c:x",
            "a\\b",
            "a\nb",
            "x. ",
            "x.",
            &long,
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_config_is_read_or_names_the_key() {
        let read = |config: Value| FileDestination::read(&config).map_err(|problem| (problem.key, problem.problem));
        let full = json!({"path": "a", "format": "sqlite", "table": "t", "key": "id"});
        let expected = FileDestination {
            path: "a".to_owned(),
            format: FileFormat::Sqlite,
            table: Some("t".to_owned()),
            key: Some("id".to_owned()),
        };
        assert_eq!(read(full), Ok(expected));
        assert_eq!(read(json!({"path": "a", "format": "parquet"})).map(|it| it.format), Ok(FileFormat::Parquet));
        for (config, key, problem) in [
            (json!({}), "path", "is missing. Add one, such as \"tickets.sqlite\"."),
            (json!({"path": "a"}), "format", "is missing. Use sqlite, jsonl or parquet."),
            (json!({"path": "a", "format": "csv"}), "format", "\"csv\" isn't known. Use sqlite, jsonl or parquet."),
            (json!({"path": 1}), "path", "must be a string that isn't empty."),
            (
                json!({"path": "a", "format": "jsonl", "key": "id"}),
                "key",
                "is for the format sqlite alone. Take it away, or use that format.",
            ),
        ] {
            assert_eq!(read(config), Err((key, problem.to_owned())));
        }
    }
}
