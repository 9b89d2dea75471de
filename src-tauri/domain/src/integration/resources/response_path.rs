//! Where a response has its data.

use super::super::json_node::{JsonKind, JsonNode};

/// Contract section 4.6: "a dotted path, read as JSONata". Most are plain names, for which nothing is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponsePath {
    Names { names: Vec<String>, text: String },
    Expression(String),
}

impl ResponsePath {
    pub fn parse(text: &str) -> Self {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                // JSONata's operators and constants.
                && !matches!(name, "and" | "or" | "in" | "true" | "false" | "null" | "function")
        };
        let text = text.trim();
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        let text = text.to_owned();
        if names.iter().all(|name| is_name(name)) { Self::Names { names, text } } else { Self::Expression(text) }
    }

    /// As JSONata.
    pub fn expression(&self) -> &str {
        match self {
            Self::Names { text, .. } | Self::Expression(text) => text,
        }
    }

    /// What plain names lead to in a body. `Err`: only JSONata can tell, which also looks into each item of a list.
    pub fn find<N: JsonNode>(&self, body: N) -> Result<Option<N>, NeedsEvaluation> {
        let Self::Names { names, .. } = self else { return Err(NeedsEvaluation) };
        let mut here = body;
        for name in names {
            here = match here.kind() {
                JsonKind::List => return Err(NeedsEvaluation),
                JsonKind::Scalar => return Ok(None),
                JsonKind::Object => match here.member(name) {
                    Some(member) => member,
                    None => return Ok(None),
                },
            };
        }
        Ok(Some(here))
    }
}

/// Plain names don't say what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeedsEvaluation;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn plain_names_need_no_evaluation() {
        let body = json!({"data": {"items": [{"id": 1}], "none": null}, "x": 1});
        for (path, found) in [
            ("data.items", Ok(Some(json!([{"id": 1}])))),
            (" data ", Ok(Some(body["data"].clone()))),
            ("data.none", Ok(Some(Value::Null))),
            ("data.gone.deeper", Ok(None)),
            ("x.y", Ok(None)),
            ("data.items.id", Err(NeedsEvaluation)),
            ("$", Err(NeedsEvaluation)),
            ("data.items[0]", Err(NeedsEvaluation)),
            ("data.`a-b`", Err(NeedsEvaluation)),
            ("data-x", Err(NeedsEvaluation)),
            ("null", Err(NeedsEvaluation)),
            ("", Err(NeedsEvaluation)),
        ] {
            assert_eq!(ResponsePath::parse(path).find(&body).map(Option::<&Value>::cloned), found, "{path}");
        }
        assert_eq!(ResponsePath::parse(" data.items ").expression(), "data.items");
    }
}
