//! The form for an API key or a client's credentials.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use unicode_general_category::{GeneralCategory, get_general_category};

use zeroize::Zeroizing;

use super::{
    error::{DefinitionError, quoted},
    node::{Node, listed},
    pattern::Pattern,
};
use crate::{Secret, hex::hex};

/// The most characters of a value.
pub const MAX_VALUE_CHARS: usize = 8 * 1024;
/// The most fields of a form.
const MAX_FIELDS: usize = 50;

/// One field of the form, as the connect UI shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The key of its value.
    pub name: String,
    pub label: String,
    #[serde(rename = "type")]
    pub kind: FieldKind,
    pub required: bool,
    pub default: Option<String>,
    /// An example, shown while the field is empty.
    pub placeholder: Option<String>,
    pub help_text: Option<String>,
    /// Must match the whole value.
    pub pattern: Option<Pattern>,
    #[serde(skip)]
    pub format: Option<ValueFormat>,
    #[serde(skip)]
    pub transform: Option<Transform>,
    /// For [`FieldKind::SingleSelect`].
    pub options: Vec<Choice>,
    /// Whether its value is kept in the keychain and nowhere else.
    #[serde(skip)]
    pub secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    Password,
    SingleSelect,
}

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueFormat {
    Email,
    Number,
    Uuid,
    Url,
}

impl ValueFormat {
    fn matches(self, value: &str) -> bool {
        match self {
            Self::Email => value.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && host.contains('.') && !host.contains('@') && !value.contains(char::is_whitespace)
            }),
            Self::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Uuid => uuid::Uuid::parse_str(value).is_ok(),
            Self::Url => url::Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https")),
        }
    }
}

/// What becomes of a value before it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    Lowercase,
    Uppercase,
    /// Its SHA-256, in hexadecimal digits.
    Sha256,
}

impl Transform {
    fn apply(self, value: &str) -> String {
        match self {
            Self::Lowercase => value.to_lowercase(),
            Self::Uppercase => value.to_uppercase(),
            Self::Sha256 => hex(&Sha256::digest(value.as_bytes())),
        }
    }
}

/// An option of a [`FieldKind::SingleSelect`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    pub label: String,
    pub value: String,
}

/// The fields of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fields(Vec<Field>);

impl Fields {
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }

    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name)
    }

    /// Checks what a person typed. Spaces around a value are trimmed: they come with copy and paste.
    pub fn validate(&self, typed: &BTreeMap<String, Secret>) -> Result<FieldValues, Vec<FieldProblem>> {
        let mut values = FieldValues::default();
        let mut problems: Vec<FieldProblem> = typed
            .keys()
            .filter(|name| self.get(name).is_none())
            .map(|name| FieldProblem::new(name, FieldFault::Unknown, "This field isn't part of the form.".to_owned()))
            .collect();
        for field in &self.0 {
            let value = typed.get(&field.name).map(|value| value.expose().trim()).filter(|value| !is_blank(value));
            match value.or(field.default.as_deref()) {
                Some(value) => match field.check(value) {
                    Ok(()) => values.put(field, value),
                    Err(problem) => problems.push(problem),
                },
                None if field.required => {
                    let message = format!("{} is missing.", field.label);
                    problems.push(FieldProblem::new(&field.name, FieldFault::Missing, message));
                }
                None => {}
            }
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }

    pub(super) fn mark_secret(&mut self, name: &str) {
        if let Some(field) = self.0.iter_mut().find(|field| field.name == name) {
            field.secret = true;
        }
    }

    pub(super) fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        let nodes = node.array()?;
        if nodes.len() > MAX_FIELDS {
            node.fail_if_written(format_args!("holds more than {MAX_FIELDS} fields"))?;
        }
        let mut names = HashSet::new();
        let mut fields = Vec::with_capacity(nodes.len());
        for node in nodes {
            let field = Field::decode(&node)?;
            if !names.insert(field.name.clone()) {
                let problem = format_args!("there are two fields named {:?}; rename one", field.name);
                return Err(node.fail(problem));
            }
            fields.push(field);
        }
        Ok(Self(fields))
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Field {
    fn check(&self, value: &str) -> Result<(), FieldProblem> {
        let fault = |fault, message: String| Err(FieldProblem::new(&self.name, fault, message));
        let label = &self.label;
        if value.chars().count() > MAX_VALUE_CHARS {
            return fault(FieldFault::TooLong, format!("{label} is longer than {MAX_VALUE_CHARS} characters."));
        }
        if value.contains(char::is_control) {
            return fault(FieldFault::Unfit, format!("{label} contains a line break or another invisible character."));
        }
        if self.kind == FieldKind::SingleSelect && !self.options.iter().any(|option| option.value == value) {
            return fault(FieldFault::NotAnOption, format!("{label} must be one of the options."));
        }
        let is_as_expected = self.pattern.as_ref().is_none_or(|pattern| pattern.matches(value))
            && self.format.is_none_or(|format| format.matches(value));
        if is_as_expected {
            return Ok(());
        }
        fault(
            FieldFault::PatternMismatch,
            match &self.help_text {
                Some(help) => format!("{label} doesn't look right. {help}"),
                None => format!("{label} doesn't look right. Copy all of it again."),
            },
        )
    }

    fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        let object = node.object()?;
        let name = object.need("name", "\"api_key\"")?.parse(name)?;
        let kinds =
            [("text", FieldKind::Text), ("password", FieldKind::Password), ("single_select", FieldKind::SingleSelect)];
        let kind = match object.need("type", "\"password\"").and_then(|node| node.one_of(&kinds)) {
            Err(error) if node.is_written() => return Err(error),
            // Whatever a newer version knows it as: nobody sees what is typed into it.
            Err(_) => FieldKind::Password,
            Ok(kind) => kind,
        };
        let options = match object.get("options") {
            Some(node) => node.array()?.iter().map(Choice::decode).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        if kind == FieldKind::SingleSelect && options.is_empty() {
            object.fail_if_written(
                "a single_select needs options, such as [{\"label\": \"Europe\", \"value\": \"eu\"}]",
            )?;
        }
        let mut field = Self {
            label: object.text("label")?.unwrap_or_else(|| name.clone()),
            name,
            kind,
            required: object.flag("required")?,
            default: object.text("default")?,
            placeholder: object.text("placeholder")?,
            help_text: object.text("help_text")?,
            pattern: object.describing("pattern", |node| node.parse(Pattern::parse))?,
            format: object.describing("format", |node| value_format(&node))?.flatten(),
            transform: object.map("transform", |node| node.one_of(&TRANSFORMS))?,
            options,
            secret: kind == FieldKind::Password,
        };
        if let (Some(default), Some(node)) = (field.default.take(), object.get("default")) {
            match field.check(&default) {
                _ if field.secret => {
                    node.fail_if_written("a password can't have a default: everybody could read it here")?;
                }
                Err(problem) => {
                    node.fail_if_written(format_args!("the default is not a valid value: {}", problem.message))?;
                }
                Ok(()) => field.default = Some(default),
            }
        }
        Ok(field)
    }
}

impl Choice {
    /// An object, or only the value.
    fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        if let Ok(text) = node.text() {
            return Ok(Self { label: text.to_owned(), value: text.to_owned() });
        }
        let object = node.object()?;
        let value = object.need("value", "\"eu\"")?.text()?.to_owned();
        Ok(Self { label: object.text("label")?.unwrap_or_else(|| value.clone()), value })
    }
}

/// Whether nothing of the text can be seen.
fn is_blank(text: &str) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, SpaceSeparator};
    text.chars().all(|c| {
        matches!(get_general_category(c), Control | Format | LineSeparator | ParagraphSeparator | SpaceSeparator)
    })
}

const FORMATS: [(&str, ValueFormat); 4] = [
    ("email", ValueFormat::Email),
    ("number", ValueFormat::Number),
    ("uuid", ValueFormat::Uuid),
    ("url", ValueFormat::Url),
];

/// A word, or the name of one of Truto's patterns, which only Truto knows.
fn value_format(node: &Node<'_>) -> Result<Option<ValueFormat>, DefinitionError> {
    let text = node.text()?;
    let known = FORMATS.iter().find(|(word, _)| *word == text).map(|(_, format)| *format);
    if known.is_none() {
        if name(text).is_err() {
            let words = FORMATS.map(|(word, _)| word);
            return Err(node.fail(format_args!("{} is not known here; use {}", quoted(text), listed(&words))));
        }
        node.warn(format_args!(
            "names a pattern that Relink doesn't have, so that values aren't checked against it; write it out as \"pattern\""
        ));
    }
    Ok(known)
}

const TRANSFORMS: [(&str, Transform); 3] =
    [("lowercase", Transform::Lowercase), ("uppercase", Transform::Uppercase), ("sha256", Transform::Sha256)];

fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("{} is not a field name; use letters, digits, _ and -, such as \"api_key\"", quoted(text)))
}

/// The checked values of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldValues {
    /// For the keychain.
    pub secret: BTreeMap<String, Secret>,
    /// For the account's context.
    pub public: BTreeMap<String, String>,
}

impl FieldValues {
    fn put(&mut self, field: &Field, value: &str) {
        let transformed = field.transform.map(|transform| Zeroizing::new(transform.apply(value)));
        let value = transformed.as_ref().map_or(value, |value| value.as_str());
        if field.secret {
            self.secret.insert(field.name.clone(), Secret::new(value));
        } else {
            self.public.insert(field.name.clone(), value.to_owned());
        }
    }
}

/// What is wrong with the value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct FieldProblem {
    /// The field's name.
    pub field: String,
    pub fault: FieldFault,
    /// For the person. It doesn't quote the value.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldFault {
    Missing,
    /// Not a field of the form.
    Unknown,
    /// Longer than [`MAX_VALUE_CHARS`].
    TooLong,
    /// Contains control characters.
    Unfit,
    NotAnOption,
    PatternMismatch,
}

impl FieldProblem {
    fn new(field: &str, fault: FieldFault, message: String) -> Self {
        Self { field: field.to_owned(), fault, message }
    }
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
