//! The form that asks a person for an API key or a client's credentials.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::{
    error::{DefinitionError, quoted},
    node::Node,
    pattern::Pattern,
};
use crate::Secret;

/// The most characters of a value.
pub const MAX_VALUE_CHARS: usize = 8 * 1024;
/// The most fields of a form.
const MAX_FIELDS: usize = 50;

/// One field of the form, as the connect UI shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its key among the credentials.
    pub name: String,
    /// What a person reads above it.
    pub label: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Whether it must be filled.
    pub required: bool,
    /// What it holds at first.
    pub default: Option<String>,
    /// An example, shown while it is empty.
    pub placeholder: Option<String>,
    /// A line of help.
    pub help_text: Option<String>,
    /// What its whole value must match.
    pub pattern: Option<Pattern>,
    /// What can be picked, for [`FieldKind::SingleSelect`].
    pub options: Vec<Choice>,
    /// Whether its value goes into the keychain and nowhere else.
    #[serde(skip)]
    pub secret: bool,
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A line of text.
    Text,
    /// A line that isn't shown.
    Password,
    /// One of the options.
    SingleSelect,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What a person reads.
    pub label: String,
    /// What is kept.
    pub value: String,
}

/// All fields of one form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// The fields, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }

    /// The field of this name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name)
    }

    /// Checks what a person typed. Blanks around a value are cut off: they come with copying and pasting.
    pub fn validate(&self, typed: &BTreeMap<String, Secret>) -> Result<FieldValues, Vec<FieldProblem>> {
        let mut values = FieldValues::default();
        let mut problems: Vec<FieldProblem> = typed
            .keys()
            .filter(|name| self.get(name).is_none())
            .map(|name| FieldProblem::new(name, FieldFault::Unknown, "This field isn't asked for.".to_owned()))
            .collect();
        for field in &self.0 {
            let given = typed.get(&field.name).map(|value| value.expose().trim()).filter(|value| !value.is_empty());
            match given.or(field.default.as_deref()) {
                Some(value) => match field.check(value) {
                    Ok(()) => values.put(field, value),
                    Err(problem) => problems.push(problem),
                },
                None if field.required => {
                    let words = format!("{} is missing.", field.label);
                    problems.push(FieldProblem::new(&field.name, FieldFault::Missing, words));
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
                let problem = format_args!("there are two fields named {:?}; give one another name", field.name);
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
        let fault = |fault, words: String| Err(FieldProblem::new(&self.name, fault, words));
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
        match &self.pattern {
            Some(pattern) if !pattern.matches(value) => fault(
                FieldFault::PatternMismatch,
                match &self.help_text {
                    Some(help) => format!("{label} doesn't look right. {help}"),
                    None => format!("{label} doesn't look right. Copy it again, whole."),
                },
            ),
            _ => Ok(()),
        }
    }

    fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        let object = node.object()?;
        object.knows(&[
            "name",
            "label",
            "type",
            "required",
            "default",
            "placeholder",
            "help_text",
            "pattern",
            "options",
        ]);
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
            options,
            secret: kind == FieldKind::Password,
        };
        if let (Some(default), Some(node)) = (field.default.take(), object.get("default")) {
            match field.check(&default) {
                _ if field.secret => {
                    node.fail_if_written("a password can't have a default: it would stand here for everybody to read")?
                }
                Err(problem) => {
                    node.fail_if_written(format_args!("the default would be refused: {}", problem.message))?;
                }
                Ok(()) => field.default = Some(default),
            }
        }
        Ok(field)
    }
}

impl Choice {
    /// An object, or the value alone.
    fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        if let Ok(text) = node.text() {
            return Ok(Self { label: text.to_owned(), value: text.to_owned() });
        }
        let object = node.object()?;
        object.knows(&["label", "value"]);
        let value = object.need("value", "\"eu\"")?.text()?.to_owned();
        Ok(Self { label: object.text("label")?.unwrap_or_else(|| value.clone()), value })
    }
}

fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("{} is not a field's name; use letters, digits, _ and -, such as \"api_key\"", quoted(text)))
}

/// What a person typed, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldValues {
    /// For the keychain.
    pub secret: BTreeMap<String, Secret>,
    /// For the account's context.
    pub public: BTreeMap<String, String>,
}

impl FieldValues {
    fn put(&mut self, field: &Field, value: &str) {
        if field.secret {
            self.secret.insert(field.name.clone(), Secret::new(value));
        } else {
            self.public.insert(field.name.clone(), value.to_owned());
        }
    }
}

/// What is wrong with what a person typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct FieldProblem {
    /// Which field.
    pub field: String,
    /// What, for code.
    pub fault: FieldFault,
    /// What, for the person. The value is not in it.
    pub message: String,
}

/// What can be wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldFault {
    /// Required and empty.
    Missing,
    /// No field of the form.
    Unknown,
    /// Longer than [`MAX_VALUE_CHARS`].
    TooLong,
    /// Control characters.
    Unfit,
    /// Not among the options.
    NotAnOption,
    /// Doesn't match the pattern.
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
