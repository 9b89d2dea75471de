//! Decoding a parsed document, with the path of every value at hand.
//!
//! Definitions are decoded from `serde_json::Value`s instead of by a derived `Deserialize`: nothing of the document is lost
//! on a round trip, unknown keys become warnings, and every error has its own message and line.

use std::{cell::RefCell, fmt::Display};

use serde_json::{Map, Value};

use super::{
    error::{DefinitionError, Warning, quoted},
    reach::Reach,
    read::{self, Step},
    strictness::Strictness,
    web_url::WebUrl,
};

/// The document that is decoded.
pub(crate) struct Source<'a> {
    /// The file's text. `None` for a document that isn't a file.
    text: Option<&'a str>,
    /// Whether URLs on this machine and its network are allowed.
    allow_local: bool,
    strictness: Strictness,
    warnings: RefCell<Vec<Warning>>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: Option<&'a str>, allow_local: bool, strictness: Strictness) -> Self {
        Self { text, allow_local, strictness, warnings: RefCell::default() }
    }

    pub(crate) fn root(&'a self, document: &'a Value) -> Node<'a> {
        Node { value: document, path: Vec::new(), source: self }
    }

    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        self.warnings.into_inner()
    }
}

/// A value of the document.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    path: Vec<Step>,
    source: &'a Source<'a>,
}

type Result<T> = std::result::Result<T, DefinitionError>;

impl<'a> Node<'a> {
    pub(crate) const fn json(&self) -> &'a Value {
        self.value
    }

    /// The value at a path below. A step that doesn't exist leads nowhere: the value stays.
    pub(crate) fn at(&self, path: &[Step]) -> Self {
        path.iter().fold(self.clone(), |node, step| {
            step.below(node.value).map_or_else(|| node.clone(), |value| node.child(step.clone(), value))
        })
    }

    /// An error at this value.
    pub(crate) fn fail(&self, problem: impl Display) -> DefinitionError {
        let position = self.source.text.and_then(|text| read::locate(text, &self.path));
        let problem = problem.to_string();
        DefinitionError { position, path: read::path_text(&self.path), problem, is_lacking: false }
    }

    /// The error of what needs a part of Truto that Relink lacks.
    pub(crate) fn lacking(&self, problem: impl Display) -> DefinitionError {
        DefinitionError { is_lacking: true, ..self.fail(problem) }
    }

    /// Whether URLs on this machine and its network are allowed.
    pub(crate) const fn allows_local(&self) -> bool {
        self.source.allow_local
    }

    /// Whether every rule counts, see [`Strictness`].
    pub(crate) fn is_written(&self) -> bool {
        self.source.strictness == Strictness::Written
    }

    /// The error of a rule that counts only when the definition is written.
    pub(crate) fn fail_if_written(&self, problem: impl Display) -> Result<()> {
        if self.is_written() { Err(self.fail(problem)) } else { Ok(()) }
    }

    /// Adds a warning about this value.
    pub(crate) fn warn(&self, problem: impl Display) {
        if !self.is_written() {
            return;
        }
        let DefinitionError { position, path, problem, .. } = self.fail(problem);
        let warning = Warning { position, path, problem };
        let mut warnings = self.source.warnings.borrow_mut();
        // A header is checked for each format.
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(crate) fn object(&self) -> Result<Object<'a>> {
        match self.value {
            Value::Object(map) => Ok(Object { node: self.clone(), map }),
            other => Err(self.fail(format_args!("must be an object in {{ }}, not {}", kind(other)))),
        }
    }

    pub(crate) fn array(&self) -> Result<Vec<Self>> {
        match self.value {
            Value::Array(items) => {
                Ok(items.iter().enumerate().map(|(at, value)| self.child(Step::Item(at), value)).collect())
            }
            other => Err(self.fail(format_args!("must be a list in [ ], not {}", kind(other)))),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str> {
        match self.value {
            Value::String(text) => Ok(text),
            other => Err(self.fail(format_args!("must be a string in quotes, not {}", kind(other)))),
        }
    }

    /// A string that is sent as it is: a placeholder in it would never be filled.
    pub(crate) fn literal(&self) -> Result<&'a str> {
        let text = self.text()?;
        if text.contains("{{") {
            self.fail_if_written("contains a placeholder, which isn't filled here; write the value out")?;
        }
        Ok(text)
    }

    pub(crate) fn boolean(&self) -> Result<bool> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            other => Err(self.fail(format_args!("must be true or false, not {}", kind(other)))),
        }
    }

    /// A string, a number, or true or false.
    pub(crate) fn scalar(&self) -> Result<&'a Value> {
        match self.value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(self.value),
            other => Err(self.fail(format_args!("must be a string, a number, or true or false, not {}", kind(other)))),
        }
    }

    pub(crate) fn seconds(&self) -> Result<u32> {
        let seconds = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        seconds.ok_or_else(|| self.fail("must be a whole number of seconds, without quotes"))
    }

    /// The string, parsed by a type's own parser.
    pub(crate) fn parse<T, E: Display>(&self, parser: impl Fn(&str) -> std::result::Result<T, E>) -> Result<T> {
        parser(self.text()?).map_err(|error| self.fail(error))
    }

    /// A URL that the definition may name.
    pub(crate) fn web_url(&self) -> Result<WebUrl> {
        let url = self.parse(WebUrl::parse)?;
        if url.reach() == Reach::Local && !self.source.allow_local {
            return Err(self.fail(format_args!(
                "{} is on this machine or its network; to allow that, add \"allow_local\": true to config.relink",
                quoted(url.host())
            )));
        }
        Ok(url)
    }

    /// The value of one of these words.
    pub(crate) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T> {
        let text = self.text()?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fail(format_args!("{} is not known here; use {}", quoted(text), listed(&known)))
        })
    }

    fn child(&self, step: Step, value: &'a Value) -> Self {
        let mut path = self.path.clone();
        path.push(step);
        Self { value, path, source: self.source }
    }
}

/// An object of the document.
pub(crate) struct Object<'a> {
    node: Node<'a>,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    pub(crate) fn fail(&self, problem: impl Display) -> DefinitionError {
        self.node.fail(problem)
    }

    pub(crate) fn fail_if_written(&self, problem: impl Display) -> Result<()> {
        self.node.fail_if_written(problem)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The value of this key, unless it is missing or null.
    pub(crate) fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        Some(self.node.child(Step::Key(key.to_owned()), value))
    }

    /// The value of this key, unless it is missing, null or empty: Truto writes unused fields as `""`.
    pub(crate) fn filled(&self, key: &str) -> Option<Node<'a>> {
        self.get(key).filter(|node| node.value.as_str() != Some(""))
    }

    /// The value of this key. If it is missing, the error shows an example.
    pub(crate) fn need(&self, key: &str, example: &str) -> Result<Node<'a>> {
        self.filled(key).ok_or_else(|| self.fail(format_args!("{key:?} is missing; add one, such as {example}")))
    }

    /// Decodes the value of this key, unless it is missing.
    pub(crate) fn map<T>(&self, key: &str, decode: impl FnOnce(Node<'a>) -> Result<T>) -> Result<Option<T>> {
        self.filled(key).map(decode).transpose()
    }

    /// Decodes the value of a key that only describes: when loaded, a value that can't be decoded counts as missing.
    pub(crate) fn describing<T>(&self, key: &str, decode: impl FnOnce(Node<'a>) -> Result<T>) -> Result<Option<T>> {
        match self.map(key, decode) {
            Err(_) if !self.node.is_written() => Ok(None),
            decoded => decoded,
        }
    }

    /// The string of a key that only describes.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>> {
        self.describing(key, |node| node.text().map(str::to_owned))
    }

    /// The boolean of this key, or false.
    pub(crate) fn flag(&self, key: &str) -> Result<bool> {
        Ok(self.map(key, |node| node.boolean())?.unwrap_or(false))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> + '_ {
        self.map.iter().map(|(key, value)| (key.as_str(), self.node.child(Step::Key(key.clone()), value)))
    }

    /// Warns about every key that isn't one of these.
    pub(crate) fn warn_unknown_keys(&self, keys: &[&str]) {
        if !self.node.is_written() {
            return;
        }
        for (key, node) in self.entries() {
            if !keys.contains(&key) {
                node.warn("Relink doesn't know this key; it stays and has no effect");
            }
        }
    }
}

/// `"a", "b" or "c"`.
pub(crate) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("{one:?}"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|word| format!("{word:?}")).collect();
            format!("{} or {last:?}", first.join(", "))
        }
    }
}

/// The kind of a value. The value itself is never shown: it may be a misplaced secret.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
