//! Tools for agents, made of an integration's methods (contract section 10.1).

use relink_domain::{
    integration::{
        Definition,
        resources::{Method, Resource, Schema},
    },
    mcp::McpConfig,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A method that an agent can call through `/proxy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tool {
    pub resource: String,
    pub method: String,
    /// The tool's name, such as `list_all_github_issues`.
    pub name: String,
    pub description: String,
    /// A JSON schema. With `id` where the method is about one record, and with `limit` and `next_cursor` of a list.
    pub query_schema: Value,
    pub body_schema: Value,
    pub response_schema: Value,
    /// The names in both schemas that must be given.
    pub required: Vec<String>,
}

/// The tools of an account or an integration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tools {
    pub result: Vec<Tool>,
}

/// Which methods are wanted. An empty list wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MethodFilter {
    /// Names, or `read` (get, list), `write` (create, update, delete) and `custom` (all others).
    pub methods: Vec<String>,
    /// Any of the resource's tags, or of the method's own.
    pub tags: Vec<String>,
    pub resource: Option<String>,
}

/// The tools that an MCP server offers.
impl From<&McpConfig> for MethodFilter {
    fn from(config: &McpConfig) -> Self {
        Self { methods: config.methods.clone(), tags: config.tags.clone(), resource: None }
    }
}

impl MethodFilter {
    /// What may be wanted of every integration: the words for several methods, and the methods that have one.
    pub const WORDS: [&str; 8] = ["read", "write", "custom", "get", "list", "create", "update", "delete"];

    /// The wanted methods of a definition: resource, method's name, and the method.
    pub fn select<'d>(&self, definition: &'d Definition) -> Vec<(&'d str, &'d str, &'d Method)> {
        let wants_resource = |name: &str| self.resource.as_deref().is_none_or(|wanted| wanted == name);
        let resources = definition.resources().iter().filter(|(name, _)| wants_resource(name));
        let methods = resources.flat_map(|(name, resource)| {
            let tagged = resource.iter().filter(|(_, method)| self.wants_tags(resource, method));
            tagged.map(move |(method, it)| (name, method, it))
        });
        methods.filter(|(_, method, _)| self.wants_method(method)).collect()
    }

    fn wants_tags(&self, resource: &Resource, method: &Method) -> bool {
        let mut tags = resource.tool_tags.iter().chain(&method.docs.tool_tags);
        self.tags.is_empty() || tags.any(|tag| self.tags.contains(tag))
    }

    /// Whether a method with this name is wanted.
    pub fn names(&self, method: &str) -> bool {
        self.wants_method(method)
    }

    fn wants_method(&self, name: &str) -> bool {
        let kind = match name {
            "get" | "list" => "read",
            "create" | "update" | "delete" => "write",
            _ => "custom",
        };
        self.methods.is_empty() || self.methods.iter().any(|wanted| wanted == name || wanted == kind)
    }
}

impl Tools {
    /// The methods with a description: without one, an agent can't know what a method is for.
    pub fn of(definition: &Definition, filter: &MethodFilter) -> Self {
        let tool = |(resource, method, it): (&str, &str, &Method)| {
            let description = format!("{}{}", description(it)?, unreadable(it));
            let query_schema = query_schema(method, it);
            let body_schema = schema(it.docs.body_schema.as_ref());
            let mut required = required_of(&query_schema);
            for name in required_of(&body_schema) {
                if !required.contains(&name) {
                    required.push(name);
                }
            }
            Some(Tool {
                name: tool_name(definition.name(), resource, method),
                resource: resource.to_owned(),
                method: method.to_owned(),
                description,
                query_schema,
                body_schema,
                response_schema: schema(it.docs.response_schema.as_ref()),
                required,
            })
        };
        Self { result: filter.select(definition).into_iter().filter_map(tool).collect() }
    }
}

pub(crate) fn description(method: &Method) -> Option<&str> {
    method.docs.description.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// What an agent reads of the schemas that the tool is without, because their texts can't be read. It stands in the description,
/// which every agent gets.
fn unreadable(method: &Method) -> String {
    let docs = &method.docs;
    let named = [("query_schema", &docs.query_schema), ("body_schema", &docs.body_schema)];
    let problem = |(name, schema): (&str, &Option<Schema>)| match schema {
        Some(Schema::Unreadable(problem)) => Some(format!(
            " The integration's definition doesn't say what the call takes, because its {name} {problem}."
        )),
        Some(Schema::Object(_)) | None => None,
    };
    named.into_iter().filter_map(problem).collect()
}

/// A schema with what every one has.
fn schema(given: Option<&Schema>) -> Value {
    let mut schema = given.and_then(Schema::object).cloned().unwrap_or_default();
    schema.entry("type").or_insert_with(|| "object".into());
    if schema["type"] == "object" {
        schema.entry("properties").or_insert_with(|| json!({}));
    }
    Value::Object(schema)
}

/// The method's schema, with what the route `/proxy` takes beside it.
fn query_schema(name: &str, method: &Method) -> Value {
    let mut schema = schema(method.docs.query_schema.as_ref());
    let own = match name {
        "get" | "update" | "delete" => json!({"id": {"type": "string", "description": "The record's id."}}),
        "list" => json!({
            "limit": {"type": "integer", "minimum": 1, "description": "How many records a page has at most."},
            "next_cursor": {"type": "string", "description": "The next_cursor of the page before."},
        }),
        _ => json!({}),
    };
    let own = own.as_object().into_iter().flatten();
    if let Some(properties) = schema["properties"].as_object_mut() {
        for (name, property) in own {
            properties.entry(name).or_insert_with(|| property.clone());
        }
    }
    let mut names = required_of(&schema);
    if matches!(name, "get" | "update" | "delete") && !names.iter().any(|name| name == "id") {
        names.insert(0, "id".to_owned());
    }
    if !names.is_empty() {
        schema["required"] = names.into();
    }
    schema
}

fn required_of(schema: &Value) -> Vec<String> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The contract's names. What can't be in a name of a tool becomes an underscore.
pub(crate) fn tool_name(integration: &str, resource: &str, method: &str) -> String {
    let one = singular(resource);
    let name = match method {
        "list" => format!("list_all_{integration}_{resource}"),
        "get" => format!("get_single_{integration}_{one}_by_id"),
        "create" => format!("create_a_{integration}_{one}"),
        "update" => format!("update_a_{integration}_{one}_by_id"),
        "delete" => format!("delete_a_{integration}_{one}_by_id"),
        custom => format!("{integration}_{resource}_{custom}"),
    };
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    name.chars().map(allowed).collect()
}

/// By English spelling, which is right for most names of resources.
fn singular(plural: &str) -> String {
    let without = |ending: &str| plural.strip_suffix(ending);
    if let Some(stem) = without("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    let hisses = ["sses", "xes", "zes", "ches", "shes"];
    if hisses.iter().any(|ending| plural.ends_with(ending)) {
        return without("es").unwrap_or(plural).to_owned();
    }
    let stays = ["ss", "us", "is"].iter().any(|ending| plural.ends_with(ending));
    if stays { plural.to_owned() } else { without("s").unwrap_or(plural).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Definition {
        let document = json!({"name": "acme", "config": {
            "label": "Acme",
            "base_url": "https://api.acme.example",
            "credentials": {"api_key": {"config": {"fields": [{"name": "api_key", "type": "password"}]}}},
            "tool_tags": {"contacts": ["crm", "people"]},
            "resources": {
                "contacts": {
                    "list": {"path": "/contacts", "description": "Lists contacts.",
                        "query_schema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
                    "get": {"path": "/contacts/{{id}}", "description": "Gets a contact."},
                    "create": {"path": "/contacts", "method": "post", "description": "Adds a contact.",
                        "body_schema": "type: object\nrequired: [email]\nproperties:\n  email: {type: string}\n"},
                    "delete": {"path": "/contacts/{{id}}", "method": "delete"},
                },
                "companies": {"merge": {"path": "/merge", "method": "post", "description": " Merges two. ", "tool_tags": ["merging"]}},
            },
        }});
        relink_domain::integration::parse(&document.to_string()).expect("a definition").definition
    }

    fn names(methods: &[&str], tags: &[&str]) -> Vec<String> {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let filter = MethodFilter { methods: own(methods), tags: own(tags), resource: None };
        Tools::of(&definition(), &filter).result.into_iter().map(|tool| tool.name).collect()
    }

    #[test]
    fn a_tool_is_a_method_with_a_description() {
        let all = [
            "acme_companies_merge",
            "create_a_acme_contact",
            "get_single_acme_contact_by_id",
            "list_all_acme_contacts",
        ];
        assert_eq!(names(&[], &[]), all);
        assert_eq!(names(&["read"], &[]), all[2..]);
        assert_eq!(names(&["write"], &[]), all[1..2]);
        assert_eq!(names(&["custom"], &[]), all[..1]);
        assert_eq!(names(&["list", "custom"], &[]), [all[0], all[3]]);
        assert_eq!(names(&[], &["people", "other"]), all[1..]);
        assert_eq!(names(&["merge"], &["people"]), [""; 0]);
        assert_eq!(names(&[], &["merging"]), all[..1], "a method has tags of its own");
    }

    #[test]
    fn the_schemas_say_all_that_a_call_takes() {
        let tools = Tools::of(&definition(), &MethodFilter::default()).result;
        let find = |method: &str| tools.iter().find(|tool| tool.method == method).expect("a tool");
        let properties =
            |schema: &Value| schema["properties"].as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(properties(&find("list").query_schema), ["name", "limit", "next_cursor"]);
        assert_eq!(find("list").required, ["name"]);
        assert_eq!(properties(&find("get").query_schema), ["id"]);
        assert_eq!(find("get").query_schema["required"], json!(["id"]));
        assert_eq!(
            (properties(&find("create").body_schema), &find("create").required),
            (vec!["email".to_owned()], &vec!["email".to_owned()])
        );
        assert_eq!(find("merge").description, "Merges two.");
        assert_eq!(find("merge").response_schema, json!({"type": "object", "properties": {}}));
    }

    #[test]
    fn a_tool_whose_schema_cant_be_read_says_so() {
        let mut document = serde_json::to_value(definition()).expect("JSON");
        document["config"]["resources"]["contacts"]["create"]["body_schema"] =
            json!("type: object\nproperties: {email");
        let stored = Definition::load(&document, &serde_json::Map::new()).expect("usable");
        let tools = Tools::of(&stored, &MethodFilter::default()).result;
        let create = tools.iter().find(|tool| tool.method == "create").expect("a tool");
        assert_eq!(create.body_schema, json!({"type": "object", "properties": {}}));
        assert!(
            create.description.starts_with("Adds a contact. The integration's definition doesn't say what the call takes, because its body_schema has YAML"),
            "{}",
            create.description
        );
    }

    #[test]
    fn names_are_trutos_and_fit_for_tools() {
        for (resource, one) in [
            ("contacts", "contact"),
            ("companies", "company"),
            ("addresses", "address"),
            ("boxes", "box"),
            ("branches", "branch"),
            ("status", "status"),
            ("analysis", "analysis"),
            ("databases", "database"),
            ("issue", "issue"),
        ] {
            assert_eq!(tool_name("acme", resource, "create"), format!("create_a_acme_{one}"));
        }
        assert_eq!(tool_name("acme", "crm/deals.all", "run now"), "acme_crm_deals_all_run_now");
    }
}
