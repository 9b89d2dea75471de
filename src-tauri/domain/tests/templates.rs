//! Compares the templates with Truto's library: `tests/templates/` holds what `js/reference.mjs` had it fill.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    path::Path,
};

use relink_domain::{
    Secret,
    template::{FillError, PlaceholderError, Root, Scope, Template},
};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    r#in: Context,
    #[serde(default)]
    roots: Map<String, Value>,
    #[serde(default)]
    template: Value,
    #[serde(default, deserialize_with = "present")]
    gives: Option<Value>,
    #[serde(default)]
    undefined: bool,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Context {
    Named(String),
    Own(Map<String, Value>),
}

/// A case that Relink fills differently on purpose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    id: String,
    reason: String,
    /// As [`Case`] has it.
    #[serde(default, deserialize_with = "present")]
    gives: Option<Value>,
    #[serde(default)]
    undefined: bool,
    error: Option<String>,
}

/// Keeps null apart from a missing member.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Written out, so that the order of members counts.
    Gives(String),
    Undefined,
    Error(String),
}

impl Answer {
    fn new(gives: Option<&Value>, undefined: bool, error: Option<&String>) -> Self {
        match (gives, undefined, error) {
            (Some(value), false, None) => Self::Gives(written(value)),
            (None, true, None) => Self::Undefined,
            (None, false, Some(error)) => Self::Error(error.clone()),
            _ => panic!("not one answer"),
        }
    }

    fn of_relink(case: &Case, contexts: &BTreeMap<String, Map<String, Value>>) -> Self {
        let mut context = match &case.r#in {
            Context::Named(name) => contexts[name].clone(),
            Context::Own(context) => context.clone(),
        };
        let secret: Vec<String> =
            context.remove("secret").map_or_else(Vec::new, |names| serde_json::from_value(names).unwrap());
        let fields = secret.into_iter().map(|name| {
            let value = context.shift_remove(&name).unwrap();
            (name, Secret::new(value.as_str().unwrap()))
        });
        let fields: BTreeMap<String, Secret> = fields.collect();
        let token = context
            .get("oauth")
            .and_then(|oauth| oauth.pointer("/token/access_token"))
            .map(|token| Secret::new(token.as_str().unwrap()));
        let roots: Vec<_> = case
            .roots
            .iter()
            .map(|(name, value)| {
                let root = match value {
                    Value::String(text) => Root::Text(text),
                    Value::Object(object) => Root::Object(object),
                    value => Root::Value(value),
                };
                (name.as_str(), root)
            })
            .collect();
        let scope = Scope { roots: &roots, ..Scope::new(&context, &fields, token.as_ref()) };
        match Template::compile(&case.template).fill(&scope) {
            Ok(filled) => filled.expose().map_or(Self::Undefined, |value| Self::Gives(written(value))),
            // In the library's words.
            Err(FillError::Malformed(PlaceholderError::UnknownCast { cast, .. })) => {
                Self::Error(format!("Unsupported type: {cast}"))
            }
            Err(FillError::Malformed(PlaceholderError::NoName { .. })) => Self::Error("Invalid query: ".to_owned()),
            Err(other) => Self::Error(other.to_string()),
        }
    }
}

/// JSON in which equal numbers are equal texts: `1.0` and `-0` are as JavaScript writes them.
fn written(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap();
            write!(text, "{}", if float == 0.0 { 0.0 } else { float }).unwrap();
        }
        Value::Array(items) => {
            write!(text, "[{}]", items.iter().map(written).collect::<Vec<_>>().join(",")).unwrap();
        }
        Value::Object(members) => {
            let members = members.iter().map(|(key, member)| format!("{key:?}:{}", written(member)));
            write!(text, "{{{}}}", members.collect::<Vec<_>>().join(",")).unwrap();
        }
        other => write!(text, "{other}").unwrap(),
    }
    text
}

fn read(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn lines<T: for<'de> Deserialize<'de>>(name: &str) -> Vec<T> {
    let text = read(name);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn every_template_is_filled_as_the_library_fills_it() {
    let contexts: BTreeMap<String, Map<String, Value>> = serde_json::from_str(&read("contexts.json")).unwrap();
    let mut differences: BTreeMap<String, Difference> =
        lines::<Difference>("differences.jsonl").into_iter().map(|it| (it.id.clone(), it)).collect();
    let mut ids = HashSet::new();
    let mut complaints = Vec::new();
    for case in lines::<Case>("edges.jsonl").into_iter().chain(lines::<Case>("generated.jsonl")) {
        assert!(ids.insert(case.id.clone()), "{} is there twice", case.id);
        let library = Answer::new(case.gives.as_ref(), case.undefined, case.error.as_ref());
        let ours = Answer::of_relink(&case, &contexts);
        let problem = match differences.remove(&case.id) {
            None if ours == library => continue,
            None => "differs",
            Some(_) if ours == library => "is listed as a difference and is none any more",
            Some(listed) if listed.reason.trim().is_empty() => "is listed without a reason",
            Some(listed) if ours == Answer::new(listed.gives.as_ref(), listed.undefined, listed.error.as_ref()) => {
                continue;
            }
            Some(_) => "differs in another way than the listed one",
        };
        complaints
            .push(format!("{} {problem}\n  {}\n  ours    {ours:?}\n  library {library:?}", case.id, case.template));
    }
    complaints.extend(differences.keys().map(|id| format!("{id} is listed as a difference and is no case")));
    assert!(complaints.is_empty(), "{}\n{} complaints", complaints.join("\n"), complaints.len());
    assert!(ids.len() >= 2000, "only {} templates", ids.len());
}
