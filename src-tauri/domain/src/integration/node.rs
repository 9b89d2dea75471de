//! A walk through a parsed document that always knows where it stands.
//!
//! Decoding goes over `serde_json::Value`s instead of deriving `Deserialize`: nothing of the document is lost on a round
//! trip, keys that Relink doesn't know become warnings, and every complaint has its own words and its line.

use std::{cell::RefCell, fmt::Display};

use serde_json::{Map, Value};

use super::{
    error::{DefinitionError, Warning, quoted},
    read::{self, Step},
    strictness::Strictness,
    web_url::{Reach, WebUrl},
};

/// What is read, for the whole walk.
pub(super) struct Source<'a> {
    /// The file; absent when the document was put together (an override).
    text: Option<&'a str>,
    /// Whether addresses of this machine and its network are meant.
    allow_local: bool,
    strictness: Strictness,
    warnings: RefCell<Vec<Warning>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: Option<&'a str>, allow_local: bool, strictness: Strictness) -> Self {
        Self { text, allow_local, strictness, warnings: RefCell::default() }
    }

    pub(super) fn root(&'a self, document: &'a Value) -> Node<'a> {
        Node { value: document, path: Vec::new(), source: self }
    }

    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings.into_inner()
    }
}

/// One value of the document.
#[derive(Clone)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: Vec<Step>,
    source: &'a Source<'a>,
}

type Result<T> = std::result::Result<T, DefinitionError>;

impl<'a> Node<'a> {
    /// The error that this value is at fault.
    pub(super) fn fail(&self, problem: impl Display) -> DefinitionError {
        let position = self.source.text.and_then(|text| read::locate(text, &self.path));
        DefinitionError { position, path: read::path_text(&self.path), problem: problem.to_string() }
    }

    /// Whether every rule counts, see [`Strictness`].
    pub(super) fn is_written(&self) -> bool {
        self.source.strictness == Strictness::Written
    }

    /// The error of a rule that counts only when the definition is written.
    pub(super) fn fail_if_written(&self, problem: impl Display) -> Result<()> {
        if self.is_written() { Err(self.fail(problem)) } else { Ok(()) }
    }

    /// Notes something about this value, which is kept as it stands.
    pub(super) fn warn(&self, problem: impl Display) {
        if !self.is_written() {
            return;
        }
        let DefinitionError { position, path, problem } = self.fail(problem);
        self.source.warnings.borrow_mut().push(Warning { position, path, problem });
    }

    pub(super) fn object(&self) -> Result<Object<'a>> {
        match self.value {
            Value::Object(map) => Ok(Object { node: self.clone(), map }),
            other => Err(self.fail(format_args!("must be an object in {{ }}, not {}", kind(other)))),
        }
    }

    pub(super) fn array(&self) -> Result<Vec<Self>> {
        match self.value {
            Value::Array(items) => {
                Ok(items.iter().enumerate().map(|(at, value)| self.child(Step::Item(at), value)).collect())
            }
            other => Err(self.fail(format_args!("must be a list in [ ], not {}", kind(other)))),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str> {
        match self.value {
            Value::String(text) => Ok(text),
            other => Err(self.fail(format_args!("must be a text in quotes, not {}", kind(other)))),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            other => Err(self.fail(format_args!("must be true or false, not {}", kind(other)))),
        }
    }

    pub(super) fn seconds(&self) -> Result<u32> {
        let seconds = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        seconds.ok_or_else(|| self.fail("must be a whole number of seconds, without quotes"))
    }

    /// The text, read by a type's own parser.
    pub(super) fn parse<T, E: Display>(&self, parser: impl Fn(&str) -> std::result::Result<T, E>) -> Result<T> {
        parser(self.text()?).map_err(|error| self.fail(error))
    }

    /// A web address, as far as the definition may name it.
    pub(super) fn web_url(&self) -> Result<WebUrl> {
        let url = self.parse(WebUrl::parse)?;
        if url.reach() == Reach::Local && !self.source.allow_local {
            return Err(self.fail(format_args!(
                "{} is on this machine or its network; if that is meant, add \"allow_local\": true to config.relink",
                quoted(url.host())
            )));
        }
        Ok(url)
    }

    /// One of these words.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T> {
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
pub(super) struct Object<'a> {
    node: Node<'a>,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    pub(super) fn fail(&self, problem: impl Display) -> DefinitionError {
        self.node.fail(problem)
    }

    pub(super) fn fail_if_written(&self, problem: impl Display) -> Result<()> {
        self.node.fail_if_written(problem)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The value of this key, unless absent or null.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        Some(self.node.child(Step::Key(key.to_owned()), value))
    }

    /// The same, where an empty text counts as absent as well: Truto writes fields that aren't used as `""`.
    pub(super) fn filled(&self, key: &str) -> Option<Node<'a>> {
        self.get(key).filter(|node| node.value.as_str() != Some(""))
    }

    /// The value of this key; its absence is an error that shows an example.
    pub(super) fn need(&self, key: &str, example: &str) -> Result<Node<'a>> {
        self.filled(key).ok_or_else(|| self.fail(format_args!("{key:?} is missing; add one, such as {example}")))
    }

    /// Decodes the value of a key where it is there.
    pub(super) fn map<T>(&self, key: &str, decode: impl FnOnce(Node<'a>) -> Result<T>) -> Result<Option<T>> {
        self.filled(key).map(decode).transpose()
    }

    /// The same for what only describes: once stored, what can't be decoded is left out.
    pub(super) fn describing<T>(&self, key: &str, decode: impl FnOnce(Node<'a>) -> Result<T>) -> Result<Option<T>> {
        match self.map(key, decode) {
            Err(_) if !self.node.is_written() => Ok(None),
            decoded => decoded,
        }
    }

    /// The text of a key, which only describes.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>> {
        self.describing(key, |node| node.text().map(str::to_owned))
    }

    /// The flag of a key, false where it is absent.
    pub(super) fn flag(&self, key: &str) -> Result<bool> {
        Ok(self.map(key, |node| node.boolean())?.unwrap_or(false))
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> + '_ {
        self.map.iter().map(|(key, value)| (key.as_str(), self.node.child(Step::Key(key.clone()), value)))
    }

    /// Warns of every key that isn't among these.
    pub(super) fn knows(&self, keys: &[&str]) {
        if !self.node.is_written() {
            return;
        }
        for (key, node) in self.entries() {
            if !keys.contains(&key) {
                node.warn("Relink doesn't know this key; it is kept and has no effect");
            }
        }
    }
}

/// Words for a list of choices.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("{one:?}"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|word| format!("{word:?}")).collect();
            format!("{} or {last:?}", first.join(", "))
        }
    }
}

/// What kind of value it is. The value itself is never shown: it may be a secret in the wrong place.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
