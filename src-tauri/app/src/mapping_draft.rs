//! A mapping while it is written: its keys as texts, and what is wrong in them.

use relink_contract::window::{MappingKey, MappingLanguage, MappingProblem, MappingProblemAt};
use relink_domain::{
    integration::{Position, position_of},
    unified::{KEYS, Mapping, MappingError},
};
use serde_json::{Map, Value};

/// The texts of a config, in the order in which its keys take effect.
pub(crate) fn keys_of(config: &Map<String, Value>) -> Vec<MappingKey> {
    let place = |name: &str| KEYS.iter().position(|key| *key == name).unwrap_or(KEYS.len());
    let mut keys: Vec<_> = config.iter().map(|(name, value)| key_of(name, value)).collect();
    keys.sort_by_key(|key| place(&key.name));
    keys
}

fn key_of(name: &str, value: &Value) -> MappingKey {
    let (text, language) = match value {
        Value::String(text) => (text.clone(), MappingLanguage::Text),
        // A value can always be serialized.
        other => (serde_json::to_string_pretty(other).unwrap_or_default(), MappingLanguage::Json),
    };
    MappingKey { name: name.to_owned(), text, language }
}

/// A draft whose texts could be read.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    /// The mapping's name in messages.
    name: &'a str,
    keys: &'a [MappingKey],
    pub(crate) config: Map<String, Value>,
    pub(crate) mapping: Mapping,
}

impl<'a> Draft<'a> {
    /// Reads the keys. An empty text is none.
    pub(crate) fn read(name: &'a str, keys: &'a [MappingKey]) -> Result<Self, MappingProblem> {
        let mut config = Map::new();
        for key in keys.iter().filter(|key| !key.text.trim().is_empty()) {
            let value = match key.language {
                MappingLanguage::Text => Value::String(key.text.clone()),
                MappingLanguage::Json => serde_json::from_str(&key.text).map_err(|error| MappingProblem {
                    at: MappingProblemAt::Mapping,
                    key: Some(key.name.clone()),
                    place: format!("{name}, {}", key.name),
                    line: Some(error.line()).filter(|line| *line > 0),
                    column: Some(error.column()).filter(|column| *column > 0),
                    problem: format!("This isn’t JSON: {error}."),
                })?,
            };
            config.insert(key.name.clone(), value);
        }
        match Mapping::check(&config) {
            Ok((mapping, _)) => Ok(Self { name, keys, config, mapping }),
            Err(MappingError { path, problem }) => Err(problem_at(name, keys, &path, None, None, &problem)),
        }
    }

    /// A problem at a place of the mapping, such as `response_mapping.name`. `position`: in the expression there.
    pub(crate) fn problem(&self, path: &str, position: Option<Position>, problem: &str) -> MappingProblem {
        problem_at(self.name, self.keys, path, position, None, problem)
    }

    /// A problem that arose when the mapping ran, for a record, counted from 0.
    pub(crate) fn failed(
        &self,
        path: &str,
        position: Option<Position>,
        record: Option<usize>,
        problem: &str,
    ) -> MappingProblem {
        let found = problem_at(self.name, self.keys, path, position, record, problem);
        MappingProblem { at: MappingProblemAt::Run, ..found }
    }
}

fn problem_at(
    name: &str,
    keys: &[MappingKey],
    path: &str,
    position: Option<Position>,
    record: Option<usize>,
    problem: &str,
) -> MappingProblem {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (key, below) = (&path[..end], path[end..].trim_start_matches('.'));
    let written = keys.iter().find(|written| written.name == key);
    let in_text = match written {
        Some(MappingKey { language: MappingLanguage::Json, text, .. }) => position_of(text, below),
        Some(_) => position.or(Some(Position { line: 1, column: 1 })),
        None => None,
    };
    let is_inside_json = written.is_some_and(|written| written.language == MappingLanguage::Json);
    let inside = position.filter(|_| is_inside_json).map(|it| format!(" (at {it} of the expression)"));
    let mut place = name.to_owned();
    if !path.is_empty() {
        place = format!("{place}, {path}");
    }
    if let Some(record) = record {
        place = format!("{place}, record {}", record + 1);
    }
    MappingProblem {
        at: MappingProblemAt::Mapping,
        key: written.map(|written| written.name.clone()),
        place,
        line: in_text.map(|it| it.line),
        column: in_text.map(|it| it.column),
        problem: format!("{problem}{}", inside.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft(config: &Value) -> Vec<MappingKey> {
        keys_of(config.as_object().expect("an object"))
    }

    #[test]
    fn a_config_and_its_texts_are_the_same_and_keys_are_in_their_order() {
        let config = json!({
            "response_mapping": "response", "before": [{"type": "transform", "config": "1"}], "resource": "issues", "ours": {"a": 1},
        });
        let keys = draft(&config);
        assert_eq!(
            keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(),
            ["before", "resource", "response_mapping", "ours"]
        );
        assert_eq!(Value::Object(Draft::read("x", &keys).expect("good").config), config);
        let emptied: Vec<_> = keys.into_iter().map(|key| MappingKey { text: " ".to_owned(), ..key }).collect();
        assert_eq!(Draft::read("x", &emptied).expect("good").config, Map::new());
    }

    #[test]
    fn a_problem_is_at_its_place_in_the_text_of_its_key() {
        let keys = draft(&json!({
            "query_mapping": "{\n 'a': 1 }",
            "side_load": {"owner": {"resource": "users", "method": "get", "run_if": "1 +"}},
        }));
        let draft = Draft::read("crm/deals list on Acme", &keys).expect("good");
        let of_text = draft.problem("query_mapping", Some(Position { line: 2, column: 3 }), "no");
        assert_eq!((of_text.line, of_text.column, of_text.key.as_deref()), (Some(2), Some(3), Some("query_mapping")));
        let of_json = draft.failed("side_load.owner.run_if", Some(Position { line: 1, column: 3 }), Some(2), "no");
        assert_eq!(
            (of_json.line, of_json.key.as_deref(), of_json.at),
            (Some(5), Some("side_load"), MappingProblemAt::Run)
        );
        assert_eq!(of_json.place, "crm/deals list on Acme, side_load.owner.run_if, record 3");
        assert_eq!(of_json.problem, "no (at line 1, column 3 of the expression)");
    }

    #[test]
    fn what_cannot_be_read_is_refused_at_its_place() {
        let broken =
            MappingKey { name: "before".to_owned(), text: "[\n{]".to_owned(), language: MappingLanguage::Json };
        let problem = Draft::read("m", &[broken]).expect_err("no JSON");
        assert_eq!((problem.line, problem.column, problem.place.as_str()), (Some(2), Some(2), "m, before"));
        let keys = draft(&json!({"before": [{"type": "transform", "config": "1"}, {"type": "dance", "config": "1"}]}));
        let problem = Draft::read("m", &keys).expect_err("no such type");
        assert_eq!((problem.line, problem.key.as_deref()), (Some(7), Some("before")));
        assert!(problem.problem.contains("dance"), "{problem:?}");
    }
}
