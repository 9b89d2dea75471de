//! Methods in a file: each key, what is refused, and what a stored definition may have.

use serde_json::{Value, json};

use super::*;
use crate::{
    account::AuthenticationMethod,
    integration::{Authorization, Definition, DefinitionError, Warning, parse},
    origins::Origins,
};

fn definition(method: &Value) -> Value {
    json!({
        "name": "acme",
        "config": {
            "label": "Acme",
            "base_url": "https://api.acme.example/v2",
            "headers": {"x-version": "1", "x-region": "{{region}}"},
            "query_array_format": "repeat",
            "credentials": {"api_key": {"format": "api_key", "config": {"fields": [
                {"name": "user", "label": "User", "type": "text"},
                {"name": "api_key", "label": "API key", "type": "password"},
            ]}}},
            "pagination": {"format": "offset"},
            "rate_limit": {"is_rate_limited": "status = 420"},
            "error_expression": "response.error",
            "tool_tags": {"contacts": ["crm"], "gone": ["x"]},
            "resources": {"contacts": {"list": method}},
            "relink": {"probe": {"path": "/me"}},
        },
    })
}

fn parsed(method: &Value) -> Result<(Definition, Vec<Warning>), DefinitionError> {
    let text = serde_json::to_string_pretty(&definition(method)).expect("JSON");
    parse(&text).map(|parsed| (parsed.definition, parsed.warnings))
}

fn method(of: &Value) -> Method {
    let (definition, warnings) = parsed(of).unwrap_or_else(|error| panic!("{of}: {error}"));
    assert_eq!(warnings, [], "{of}");
    definition.resources().get("contacts").and_then(|it| it.get("list")).expect("the method").clone()
}

#[test]
fn a_path_is_enough_and_the_integrations_defaults_are_the_methods() {
    let list = method(&json!({"path": "contacts"}));
    assert_eq!((list.verb, list.query_array_format), (Verb::Get, ArrayFormat::Repeat));
    assert_eq!((list.body_encoding, list.api_response_format), (BodyEncoding::Json, ApiResponseFormat::ByContentType));
    assert_eq!(list.authorization, MethodAuthorization::Inherited);
    assert!(matches!(list.pagination.as_deref(), Some(Pagination::Offset(_))));
    assert_eq!(list.error_expression.as_deref(), Some("response.error"));
    assert_eq!(list.rate_limit.expect("shared").is_rate_limited.as_deref(), Some("status = 420"));
    assert!(!list.add_query_to_body && !list.ignore_body_in_pagination && !list.throw_error_on_parse_error);
    assert!(list.base_url.is_none() && list.body == MethodBody::Callers && list.query.is_none());
}

#[test]
fn every_key_is_read() {
    let all = method(&json!({
        "path": "/contacts/{{id}}", "method": "PoSt", "base_url": "https://files.acme.example",
        "headers": {"x-region": null, "X-Trace": "{{body.trace ?: none}}"},
        "query": {"view": "{{query.view:str:undefined}}", "ids": ["{{id}}"]}, "query_array_format": "comma",
        "body": {"name": "{{body.name}}"}, "body_format": "form", "body_format_config": {"array_format": "indices"},
        "response_path": "data.items", "pagination": null, "pagination_path": "/contacts/next",
        "authorization": {"format": "basic", "config": {"username": "{{user}}", "password": "{{api_key}}"}},
        "error_expression": null, "add_query_to_body": true, "ignore_body_in_pagination": true, "ignore_body": true,
        "ignore_credentials_on_redirect": true, "api_response_format": "application/xml",
        "throw_error_on_parse_error": true, "scopes": ["read"], "description": "Lists", "api_documentation_url": "https://x",
        "examples": {"response": "{}"}, "query_schema": {"type": "object"}, "body_schema": "type: object",
        "response_schema": {},
    }));
    assert_eq!((all.verb.as_str(), all.verb.is_safe(), all.query_array_format), ("POST", false, ArrayFormat::Comma));
    assert_eq!(all.base_url.and_then(|url| url.as_fixed().cloned()).expect("fixed").host(), "files.acme.example");
    assert_eq!(all.headers.iter().map(|header| header.name.as_str()).collect::<Vec<_>>(), ["x-trace"]);
    assert_eq!(
        all.without_headers.iter().map(crate::integration::HeaderName::as_str).collect::<Vec<_>>(),
        ["x-region"]
    );
    assert_eq!(all.body_encoding, BodyEncoding::Form(FormOptions { array_format: ArrayFormat::Indices }));
    assert_eq!(all.response_path, Some(ResponsePath::parse("data.items")));
    assert!(all.query.is_some() && matches!(all.body, MethodBody::Template(_)) && all.pagination_path.is_some());
    assert_eq!((all.pagination, all.error_expression), (None, None));
    let MethodAuthorization::Own(own) = all.authorization else { panic!("its own") };
    assert!(own.get(AuthenticationMethod::ApiKey).is_some());
    assert!(all.add_query_to_body && all.ignore_body_in_pagination);
    assert!(all.api_response_format == ApiResponseFormat::Xml && all.throw_error_on_parse_error);
    assert_eq!((all.docs.scopes, all.docs.description.as_deref()), (vec!["read".to_owned()], Some("Lists")));
    let object = serde_json::Map::from_iter([("type".to_owned(), json!("object"))]);
    assert_eq!(
        (&all.docs.query_schema, &all.docs.body_schema),
        (&Some(Schema::Object(object)), &all.docs.query_schema)
    );
    assert_eq!(all.docs.examples["response"], "{}");
    let without = method(&json!({"path": "/a", "no_auth": true, "ignore_body": true}));
    assert_eq!((without.authorization, without.body), (MethodAuthorization::None, MethodBody::Nothing));
    let null = method(&json!({"path": "/a", "body": {"a": 1}, "set_body_to_null": true}));
    assert_eq!(null.body, MethodBody::Nothing);
}

#[test]
fn only_list_inherits_the_pagination() {
    let mut document = definition(&json!({"path": "/a"}));
    let page = json!({"path": "/a", "pagination": {"format": "page"}});
    document["config"]["resources"] = json!({"a": {"get": {"path": "/a"}, "list": {"path": "/a"}, "search": page}});
    let parsed = parse(&document.to_string()).expect("a definition").definition;
    let paginated: Vec<_> = parsed
        .resources()
        .iter()
        .flat_map(|(_, it)| it.iter())
        .map(|(name, it)| (name, it.pagination.is_some()))
        .collect();
    assert_eq!(paginated, [("get", false), ("list", true), ("search", true)]);
    let of_call = |method: Value| parsed.method_of_call(&method).expect("a method");
    assert!(of_call(json!({"path": "/a"})).pagination.is_none());
    assert!(of_call(json!({"path": "/a", "pagination": {"format": "page"}})).pagination.is_some());
}

#[test]
fn what_is_wrong_is_an_error_with_its_place() {
    for (of, message) in [
        (json!([]), "config.resources.contacts.list: must be an object in { }, not a list"),
        (json!({}), "list: \"path\" is missing; add one, such as \"/contacts\""),
        (json!({"path": 1}), "list.path: must be a string in quotes, not a number"),
        (json!({"path": "https://evil.example/x"}), "list.path: is a URL; write the path alone"),
        (json!({"path": "//evil.example/x"}), "list.path: \"//evil.example/x\" is not a path"),
        (json!({"path": "/a/../b"}), "list.path: \"/a/../b\" leads out of its folder"),
        (json!({"path": "/a/{{b"}), "list.path: contains {{ that begins no placeholder"),
        (json!({"path": "/a/{{id:upper}}"}), "list.path: {{id:upper}} has the cast \"upper\""),
        (json!({"path": "/{{api_key}}"}), "list: has {{api_key}} in a URL, but it is a secret"),
        (json!({"path": "/{{oauth.token.refresh_token}}"}), "list.path: {{oauth.token.refresh_token}} names a secret"),
        (json!({"path": "/a", "method": "FETCH"}), "list.method: \"FETCH\" is not known here; use \"get\", "),
        (json!({"path": "/a", "base_url": "http://acme.example"}), "list.base_url: \"http://acme.example\" is not enc"),
        (json!({"path": "/a", "base_url": "http://127.0.0.1"}), "list.base_url: \"127.0.0.1\" is on this machine"),
        (json!({"path": "/a", "base_url": "https://{{query.host}}"}), "list.base_url: lets a value decide the whole"),
        (
            json!({"path": "/a", "base_url": "https://{{body.x}}.acme.example"}),
            "list.base_url: has {{body.x}}, a value",
        ),
        (json!({"path": "/a", "headers": {"Host": "x"}}), "list.headers.Host: the header \"Host\" is set by Relink"),
        (json!({"path": "/a", "headers": {"x": "{{credentials.gone}}"}}), "list.headers.x: api_key has no field named"),
        (json!({"path": "/a", "query": ["x"]}), "list.query: must be an object in { }, not a list"),
        (json!({"path": "/a", "query_array_format": "csv"}), "list.query_array_format: \"csv\" is not known here"),
        (json!({"path": "/a", "body": {"a": "{{b:upper}}"}}), "list.body: {{b:upper}} has the cast \"upper\""),
        (
            json!({"path": "/a", "body": "{{oauth.token.id_token}}"}),
            "list.body: {{oauth.token.id_token}} names a secret",
        ),
        (json!({"path": "/a", "body_format": "yaml"}), "list.body_format: \"yaml\" is not known here; use \"json\", "),
        (json!({"path": "/a", "body_format_config": {"x": 1}}), "list.body_format_config.x: would have no effect"),
        (json!({"path": "/a", "pagination": {"format": "x"}}), "list.pagination.format: \"x\" is not known here"),
        (
            json!({"path": "/a", "authorization": {"format": "bearer", "config": {"token": "{{credentials.x}}"}}}),
            "list.authorization.config.token: api_key has no field named",
        ),
        (
            json!({"path": "/a", "authorization": {"format": "header", "config": {"expression": "{}", "header_name": "x"}}}),
            "list.authorization.config: has both an \"expression\" and a header",
        ),
        (json!({"path": "/a", "ignore_body": "yes"}), "list.ignore_body: must be true or false, not a string"),
        (
            json!({"path": "/a", "ignore_credentials_on_redirect": 1}),
            "list.ignore_credentials_on_redirect: must be true",
        ),
        (json!({"path": "/a", "api_response_format": "csv"}), "list.api_response_format: \"csv\" is not known here"),
        (json!({"path": "/a", "scopes": "read"}), "list.scopes: must be a list in [ ], not a string"),
        (json!({"path": "/a", "query_schema": []}), "list.query_schema: must be a JSON schema"),
        (
            json!({"path": "/a", "body_schema": "a: [1"}),
            "list.body_schema: has YAML that can't be read: unclosed bracket",
        ),
        (json!({"path": "/a", "response_pth": "x"}), "list.response_pth: is not known here and would have no effect"),
    ] {
        let error = parsed(&of).expect_err(&of.to_string()).to_string();
        assert!(error.starts_with("line ") && error.contains(message), "{of}: {error}");
    }
}

#[test]
fn a_stored_definition_works_without_what_is_not_understood() {
    let mut document = definition(&json!({"path": "/contacts", "new": 1}));
    document["config"]["resources"]["contacts"]["list"]["query_schema"] = json!("a: [1");
    document["config"]["resources"]["contacts"]["broken"] = json!({"path": "/a/../b"});
    document["config"]["resources"]["notes"] = json!("?");
    document["config"]["pagination"] = json!({"format": "newer"});
    document["config"]["rate_limit"] = json!([]);
    document["config"]["tool_tags"] = json!(7);
    let loaded = Definition::load(&document, &serde_json::Map::new()).expect("usable");
    let names: Vec<_> = loaded.resources().methods().map(|(resource, name, _)| format!("{resource}.{name}")).collect();
    assert_eq!(names, ["contacts.list"]);
    assert!(loaded.resources().get("notes").expect("a name").iter().next().is_none());
    let list = loaded.resources().get("contacts").and_then(|it| it.get("list")).expect("it");
    assert!(list.pagination.is_none());
    assert!(
        matches!(&list.docs.query_schema, Some(Schema::Unreadable(problem)) if problem.contains("unclosed bracket"))
    );
}

#[test]
fn a_method_may_name_an_address_of_its_own() {
    let (own, _) = parsed(&json!({"path": "/a", "base_url": "https://files.acme.example/x"})).expect("a definition");
    let (plain, _) = parsed(&json!({"path": "/a"})).expect("a definition");
    let [own, plain] = [own, plain].map(|it| it.addresses(AuthenticationMethod::ApiKey, &serde_json::Map::new()));
    let origin = |url: &str| crate::integration::WebUrl::parse(url).expect("a URL").origin();
    let is_allowed = |origins: &Origins, url: &str| origins.allows_method_at(&origin(url));
    assert!(is_allowed(&own, "https://files.acme.example") && is_allowed(&own, "https://api.acme.example"));
    assert!(!is_allowed(&plain, "https://files.acme.example") && is_allowed(&plain, "https://api.acme.example"));
    assert_eq!(plain.moved_to(&own, &[]), None, "a new method leaves the account usable");
}

#[test]
fn an_expression_signs_methods_and_no_probe() {
    let expression = json!({"format": "header", "config": {"expression": "{'X-Key': $uppercase(context.user)}"}});
    let (signed, _) = parsed(&json!({"path": "/a", "authorization": expression})).expect("a definition");
    let fields = signed.fields(AuthenticationMethod::ApiKey).expect("a form");
    assert!(fields.iter().all(|field| field.secret), "what the expression names is secret");
    let list = signed.resources().get("contacts").and_then(|it| it.get("list")).expect("the method");
    let own = signed.authorization_of(list, AuthenticationMethod::ApiKey).and_then(Authorization::signing);
    assert_eq!(own.map(|own| &*own.text), Some("{'X-Key': $uppercase(context.user)}"));

    let mut document = definition(&json!({"path": "/a"}));
    document["config"]["authorization"] = expression;
    let error = parse(&document.to_string()).expect_err("a probe that isn't signed").to_string();
    assert!(error.contains("can't sign the probe and the identity"), "{error}");
    document["config"].as_object_mut().expect("an object").remove("relink");
    parse(&document.to_string()).expect("a definition");
}

#[test]
fn a_field_that_only_a_method_signs_with_is_secret() {
    let basic = json!({"format": "basic", "config": {"username": "{{credentials.user}}", "password": "x"}});
    let (definition, _) = parsed(&json!({"path": "/a", "authorization": basic})).expect("a definition");
    let fields = definition.fields(AuthenticationMethod::ApiKey).expect("a form");
    assert!(fields.iter().all(|field| field.secret));
}

#[test]
fn tags_belong_to_resources() {
    let (definition, _) = parsed(&json!({"path": "/a"})).expect("a definition");
    assert_eq!(definition.resources().get("contacts").expect("it").tool_tags, ["crm"]);
    assert!(definition.resources().get("gone").is_none() && !definition.resources().is_empty());
    assert_eq!(method(&json!({"path": "/a", "tool_tags": ["own"]})).docs.tool_tags, ["own"]);
}

/// The definition with these rows.
fn documented(rows: &Value) -> Result<(Definition, Vec<Warning>), DefinitionError> {
    let own = json!({"path": "/a", "description": "Its own", "query_schema": {"type": "object", "title": "own"}});
    let mut document = definition(&own);
    document["documentation"] = rows.clone();
    let text = serde_json::to_string_pretty(&document).expect("JSON");
    parse(&text).map(|parsed| (parsed.definition, parsed.warnings))
}

fn list_of(definition: &Definition) -> &Method {
    definition.resources().get("contacts").and_then(|it| it.get("list")).expect("the method")
}

#[test]
fn a_row_of_the_documentation_counts_before_what_the_method_says() {
    let row = |kind: &str, content: Value| json!({"resource": "contacts", "method": "list", "type": kind, "content": content});
    let rows = json!([
        row("description", "Of the row".into()),
        row("query_schema", "type: object\ntitle: row\n".into()),
        row("body_schema", json!({"type": "object", "title": "body"})),
        row("response_schema", "{\"title\": \"answer\"}".into()),
        row("note", "not for tools".into()),
    ]);
    let (definition, warnings) = documented(&rows).expect("accepted");
    assert_eq!(warnings, []);
    let docs = &list_of(&definition).docs;
    let title =
        |schema: &Option<Schema>| schema.as_ref().and_then(Schema::object).and_then(|it| it.get("title")).cloned();
    assert_eq!(docs.description.as_deref(), Some("Of the row"));
    let titles = [&docs.query_schema, &docs.body_schema, &docs.response_schema].map(title);
    assert_eq!(titles, ["row", "body", "answer"].map(|it| Some(json!(it))));

    // What isn't about the method, or says nothing, leaves it as it is.
    for other in [
        row("description", "  ".into()),
        row("description", Value::Null),
        json!({"type": "description", "content": "of the integration"}),
        json!({"type": "description", "content": "of a resource", "resource": "contacts", "method": null}),
        json!({"entity_type": "unified_model", "type": "description", "content": "x", "resource": "contacts", "method": "list"}),
    ] {
        let (definition, warnings) = documented(&json!([other])).expect("accepted");
        assert_eq!((list_of(&definition).docs.description.as_deref(), warnings), (Some("Its own"), vec![]), "{other}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_refused_in_a_file_and_left_out_of_a_stored_definition() {
    let row = |more: Value| {
        let mut row =
            json!({"resource": "contacts", "method": "list", "type": "query_schema", "content": "type: object"});
        row.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        row
    };
    for (bad, problem) in [
        (json!({"content": "a: {b"}), "documentation[0].content"),
        (json!({"content": 7}), "documentation[0].content"),
        (json!({"type": null}), "\"type\" is missing"),
        (json!({"resource": 7}), "documentation[0].resource"),
    ] {
        let rows = json!([row(bad.clone()), row(json!({"type": "description", "content": "Of the row"}))]);
        let error = documented(&rows).expect_err("refused").to_string();
        assert!(error.contains(problem), "{bad}: {error}");
        let mut document = definition(&json!({"path": "/a"}));
        document["documentation"] = rows;
        let stored = Definition::load(&document, &serde_json::Map::new()).expect("usable");
        assert_eq!(list_of(&stored).docs.description.as_deref(), Some("Of the row"), "{bad}");
    }
    let (_, warnings) = documented(&json!([row(json!({"method": "remove"}))])).expect("accepted");
    assert!(warnings[0].to_string().contains("has no method \"remove\""), "{warnings:?}");
}
