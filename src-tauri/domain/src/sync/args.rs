//! `args_schema`: the arguments that a job takes, in both of its forms (contract section 9.1).

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;

/// The arguments that a job takes. What it doesn't name may be given as well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArgsSchema(BTreeMap<String, Arg>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Arg {
    /// Any of these. Empty: any type.
    types: Vec<Type>,
    format: Option<Format>,
    is_required: bool,
    /// `enum` of JSON Schema.
    values: Option<Vec<Value>>,
    description: Option<String>,
}

/// An argument, for a form to give it.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgField<'a> {
    pub name: &'a str,
    pub kind: ArgKind,
    pub is_required: bool,
    pub description: Option<&'a str>,
    /// The values that it may have, if they are listed.
    pub values: &'a [Value],
}

/// What a person gives for an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    Account,
    Webhook,
    Datastore,
    Date,
    Time,
    Text,
    Number,
    Boolean,
    /// Anything else.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// An id of an account, a webhook or a datastore.
    Id(ArgKind),
    Date,
    UpdatedAt,
}

/// A schema that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {problem}")]
pub struct ArgsError {
    pub path: String,
    pub problem: String,
}

/// An argument that doesn't fit, for `details.failures` (contract section 0.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgFailure {
    /// `args.start_date`.
    pub path: String,
    pub message: String,
}

const TYPES: &[(&str, Type)] = &[
    ("string", Type::String),
    ("number", Type::Number),
    ("integer", Type::Integer),
    ("boolean", Type::Boolean),
    ("object", Type::Object),
    ("array", Type::Array),
    ("null", Type::Null),
];

impl ArgsSchema {
    /// `{name: {type, format, required}}`, or JSON Schema's `{type: "object", properties, required}`. Missing or null: no rules.
    pub fn decode(schema: &Value) -> Result<Self, ArgsError> {
        let fail = |path: &str, problem: &str| ArgsError { path: path.to_owned(), problem: problem.to_owned() };
        let schema = match schema {
            Value::Null => return Ok(Self::default()),
            Value::Object(schema) => schema,
            _ => return Err(fail("args_schema", "must be an object: each key is an argument's name.")),
        };
        let (properties, required, place) = match (schema.get("type"), schema.get("properties")) {
            (Some(Value::String(kind)), Some(properties)) if kind == "object" => {
                let properties = properties.as_object();
                let problem = "must be an object: each key is an argument's name.";
                let properties = properties.ok_or_else(|| fail("args_schema.properties", problem))?;
                (properties, names(schema.get("required"))?, "args_schema.properties")
            }
            // JSON Schema without properties: `type` is no argument.
            (Some(Value::String(kind)), None) if kind == "object" => return Ok(Self::default()),
            _ => (schema, Vec::new(), "args_schema"),
        };
        let mut args = BTreeMap::new();
        for (name, rule) in properties {
            let path = format!("{place}.{name}");
            let Value::Object(rule) = rule else {
                return Err(fail(&path, "must be an object, such as {\"type\": \"string\"}."));
            };
            let mut arg = Arg::decode(&path, rule)?;
            arg.is_required |= required.contains(&name.as_str());
            args.insert(name.clone(), arg);
        }
        let unknown = required.iter().find(|name| !args.contains_key(**name));
        if let Some(name) = unknown {
            args.insert((*name).to_owned(), Arg { is_required: true, ..Arg::default() });
        }
        Ok(Self(args))
    }

    /// The arguments, by their names.
    pub fn fields(&self) -> impl Iterator<Item = ArgField<'_>> {
        self.0.iter().map(|(name, arg)| ArgField {
            name,
            kind: arg.kind(),
            is_required: arg.is_required,
            description: arg.description.as_deref(),
            values: arg.values.as_deref().unwrap_or_default(),
        })
    }

    /// What of the arguments doesn't fit, in the order of their names.
    pub fn check(&self, args: &Map<String, Value>) -> Vec<ArgFailure> {
        let failures = self.0.iter().filter_map(|(name, arg)| {
            let message = match args.get(name) {
                None | Some(Value::Null) if arg.is_required => format!("{name} is missing. Add it to args."),
                None | Some(Value::Null) => return None,
                Some(value) => format!("{name} {}", arg.problem(value)?),
            };
            Some(ArgFailure { path: format!("args.{name}"), message })
        });
        failures.collect()
    }
}

fn names(required: Option<&Value>) -> Result<Vec<&str>, ArgsError> {
    let read =
        |required: &Value| required.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|_| ());
    match required {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) if read(list).is_some() => {
            Ok(list.as_array().into_iter().flatten().filter_map(Value::as_str).collect())
        }
        Some(_) => Err(ArgsError {
            path: "args_schema.required".to_owned(),
            problem: "must be a list of arguments' names.".to_owned(),
        }),
    }
}

impl Arg {
    fn decode(path: &str, rule: &Map<String, Value>) -> Result<Self, ArgsError> {
        let fail = |key: &str, problem: String| ArgsError { path: format!("{path}.{key}"), problem };
        let read_type = |value: &Value| {
            let found = value.as_str().and_then(|text| TYPES.iter().find(|(word, _)| *word == text));
            found.map(|(_, found)| *found).ok_or_else(|| {
                let known: Vec<&str> = TYPES.iter().map(|(word, _)| *word).collect();
                fail("type", format!("{value} isn't known. Use {}.", known.join(", ")))
            })
        };
        let types = match rule.get("type") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(types)) => types.iter().map(read_type).collect::<Result<_, _>>()?,
            Some(one) => vec![read_type(one)?],
        };
        let format = match rule.get("format") {
            None | Some(Value::Null) => None,
            Some(Value::String(format)) => match format.as_str() {
                "integrated_account_id" => Some(Format::Id(ArgKind::Account)),
                "webhook_id" => Some(Format::Id(ArgKind::Webhook)),
                "datastore_id" => Some(Format::Id(ArgKind::Datastore)),
                "date" => Some(Format::Date),
                "updated_at" => Some(Format::UpdatedAt),
                // Any name of JSON Schema's may stand here.
                _ => None,
            },
            Some(_) => return Err(fail("format", "must be a string, such as \"date\".".to_owned())),
        };
        let is_required = match rule.get("required") {
            Some(Value::Bool(is_required)) => *is_required,
            // JSON Schema's list, for what is inside of an object.
            None | Some(Value::Null | Value::Array(_)) => false,
            Some(_) => return Err(fail("required", "must be true or false.".to_owned())),
        };
        let values = match rule.get("enum") {
            None | Some(Value::Null) => None,
            Some(Value::Array(values)) => Some(values.clone()),
            Some(_) => return Err(fail("enum", "must be a list of values.".to_owned())),
        };
        let description = rule.get("description").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { types, format, is_required, values, description })
    }

    fn kind(&self) -> ArgKind {
        match self.format {
            Some(Format::Id(kind)) => return kind,
            Some(Format::Date) => return ArgKind::Date,
            Some(Format::UpdatedAt) => return ArgKind::Time,
            None => {}
        }
        let wanted: Vec<_> = self.types.iter().filter(|kind| **kind != Type::Null).collect();
        match wanted[..] {
            [Type::Boolean] => ArgKind::Boolean,
            [Type::Number | Type::Integer] => ArgKind::Number,
            [] | [Type::String] => ArgKind::Text,
            _ => ArgKind::Json,
        }
    }

    /// Why a value doesn't fit. The value isn't quoted: it may be a secret in the wrong place.
    fn problem(&self, value: &Value) -> Option<String> {
        if !self.types.is_empty() && !self.types.iter().any(|kind| kind.is_of(value)) {
            let known: Vec<&str> = self.types.iter().map(|kind| kind.noun()).collect();
            return Some(format!("must be {}.", known.join(" or ")));
        }
        if let Some(values) = &self.values
            && !values.contains(value)
        {
            let known: Vec<String> = values.iter().map(Value::to_string).collect();
            return Some(format!("must be one of {}.", known.join(", ")));
        }
        match (self.format?, value.as_str()) {
            (Format::Id(of), text) if text.is_none_or(|text| text.parse::<Uuid>().is_err()) => {
                let noun = match of {
                    ArgKind::Webhook => "a webhook",
                    ArgKind::Datastore => "a datastore",
                    _ => "an integrated account",
                };
                Some(format!("must be the id of {noun}, a UUID."))
            }
            (Format::Date, text) if text.is_none_or(|text| text.parse::<Timestamp>().is_err()) => {
                Some("must be a date, such as 2026-01-31.".to_owned())
            }
            (Format::UpdatedAt, text) if text.is_none_or(|text| text.parse::<Timestamp>().is_err()) => {
                Some("must be a time, such as 2026-01-31T08:00:00Z.".to_owned())
            }
            _ => None,
        }
    }
}

impl Type {
    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Null => value.is_null(),
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Object => "an object",
            Self::Array => "a list",
            Self::Null => "null",
        }
    }
}
