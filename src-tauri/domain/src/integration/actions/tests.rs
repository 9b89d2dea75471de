use serde_json::{Value, json};

use super::*;
use crate::{
    account::AuthenticationMethod,
    integration::{Definition, parse},
};

fn document(actions: &Value) -> Value {
    json!({"name": "acme", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": {"format": "api_key", "config": {"fields": [
            {"name": "api_key", "label": "Key", "type": "password", "required": true},
            {"name": "site", "label": "Site", "type": "text"},
        ]}},
        "actions": actions,
    }})
}

fn written(actions: &Value) -> Result<Definition, String> {
    let parsed = parse(&document(actions).to_string());
    parsed.map(|parsed| parsed.definition).map_err(|error| error.to_string())
}

fn step(step: &Value) -> Result<Step, String> {
    let definition = written(&json!({"post_install": {"steps": [step]}}))?;
    Ok(definition.actions().get("post_install").expect("the action").steps[0].clone())
}

#[test]
fn every_kind_of_step_is_read() {
    let request =
        step(&json!({"type": "request", "config": {"path": "/me", "response_path": "data"}})).expect("a step");
    assert!(matches!(&request.kind, StepKind::Request(method) if method.response_path.is_some()));
    let call = json!({"type": "request", "config": {"type": "unified", "resource": "crm/users", "method": "list",
        "query": {"site": "{{site}}"}}});
    let StepKind::Call(call) = step(&call).expect("a step").kind else { panic!("a call") };
    assert_eq!((call.api, call.resource.as_str(), call.method.as_str()), (CallApi::Unified, "crm/users", "list"));
    for config in [json!("$previous.id"), json!({"expression": "$previous.id"})] {
        let transform = step(&json!({"type": "transform", "config": config})).expect("a step");
        assert_eq!(transform.kind, StepKind::Transform("$previous.id".into()));
    }
    assert_eq!(step(&json!({"type": "update_context"})).expect("a step").kind, StepKind::UpdateContext(None));
    let set = step(&json!({"type": "set_context", "config": {"region": "eu"}, "run_if": "context.site"}));
    let set = set.expect("a step");
    assert_eq!(set.run_if.as_deref(), Some("context.site"));
    assert!(matches!(&set.kind, StepKind::SetContext(values) if values["region"] == "eu"));
    assert_eq!(step(&json!({"type": "get_context"})).expect("a step").kind, StepKind::GetContext);
}

#[test]
fn a_form_is_read_and_its_mistakes_are_named() {
    let field = |more: Value| {
        let mut field = json!({"name": "project", "type": "single_select", "label": "Project"});
        field.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"type": "form", "config": {"fields": [field, {"name": "team", "type": "text"}]}})
    };
    let fetched = field(json!({"depends_on": ["team"], "options": {"value": "id", "label": "name", "subText": "id"},
        "data_source": {"type": "proxy", "resource": "projects", "method": "list", "query": {"team": "{{team}}"}}}));
    let StepKind::Form(form) = step(&fetched).expect("a form").kind else { panic!("a form") };
    let FormOptions::Fetched(options) = &form.fields[0].options else { panic!("fetched") };
    assert_eq!((options.from.resource.as_str(), options.sub_text.is_some()), ("projects", true));
    assert_eq!((form.fields[1].label.as_str(), form.fields[1].kind), ("team", FormFieldKind::Text));
    let fixed = field(json!({"options": [{"label": "EU", "value": "eu"}]}));
    let StepKind::Form(form) = step(&fixed).expect("a form").kind else { panic!("a form") };
    assert!(matches!(&form.fields[0].options, FormOptions::Fixed(list) if list[0].label == "EU"));
    for (mistake, named) in [
        (field(json!({"depends_on": ["nothing"]})), "depends on \"nothing\""),
        (field(json!({"depends_on": ["project"]})), "depends on \"project\""),
        (field(json!({"name": "team"})), "has the name \"team\""),
        (field(json!({"name": "access_token"})), "credential"),
        (field(json!({"name": "site"})), "entered to sign in"),
        (field(json!({"type": "slider"})), "\"slider\" is not known here"),
        (field(json!({"data_source": {"resource": "projects"}})), "\"options\" is missing"),
    ] {
        let error = step(&mistake).expect_err(named);
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn a_call_of_a_method_that_is_not_there_is_warned_of() {
    let warnings = |resource: &str, method: &str| {
        let fields = json!([{"name": "team", "type": "single_select", "options": {"value": "id", "label": "name"},
            "data_source": {"resource": resource, "method": method}}]);
        let mut document = document(&json!({
            "post_install": {"steps": [{"type": "request", "config": {"resource": resource, "method": method}}]},
            "post_connect_user_form": {"steps": [{"type": "form", "config": {"fields": fields}}]},
        }));
        document["config"]["resources"] = json!({"teams": {"list": {"path": "/teams"}}});
        let parsed = parse(&document.to_string()).expect("it is only warned of");
        let texts = parsed.warnings.iter().map(ToString::to_string);
        texts.filter(|text| text.contains("of the resource")).collect::<Vec<_>>()
    };
    assert_eq!(warnings("teams", "list"), [""; 0]);
    for (resource, method) in [("team", "list"), ("teams", "search")] {
        let found = warnings(resource, method);
        let named = format!("the method \"{method}\" of the resource \"{resource}\"");
        for place in ["actions.post_install.steps[0].config", "fields[0].data_source"] {
            let of_place = |text: &&String| text.contains(place) && text.contains(&named);
            assert_eq!(found.iter().filter(of_place).count(), 1, "{place}: {found:?}");
        }
    }
}

#[test]
fn options_come_from_methods_that_read() {
    let document = |method: &str| {
        let fields = json!([{"name": "team", "type": "single_select", "options": {"value": "id", "label": "name"},
            "data_source": {"resource": "teams", "method": method}}]);
        let mut document =
            document(&json!({"post_connect_user_form": {"steps": [{"type": "form", "config": {"fields": fields}}]}}));
        document["config"]["resources"] = json!({"teams": {
            "list": {"path": "/teams/search", "method": "post"},
            "get": {"path": "/teams/{{id}}"},
            "mine": {"path": "/teams/mine"},
            "create": {"path": "/teams", "method": "post"},
            "merge": {"path": "/teams/merge", "method": "post"},
        }});
        document
    };
    for (method, is_refused) in
        [("list", false), ("get", false), ("mine", false), ("unknown", false), ("create", true), ("merge", true)]
    {
        let written = parse(&document(method).to_string()).map_err(|error| error.to_string());
        assert_eq!(written.is_err(), is_refused, "{method}: {:?}", written.as_ref().err());
        if let Err(error) = written {
            assert!(error.contains("fields[0].data_source.method") && error.contains("only read"), "{error}");
        }
        let stored = Definition::load(&document(method), &Map::new()).expect("a stored one is read");
        assert!(stored.actions().form().is_some(), "{method}");
    }
}

#[test]
fn a_step_that_is_wrong_is_refused_when_written_and_its_action_left_out_when_loaded() {
    for (wrong, named) in [
        (json!({"type": "sleep"}), "\"sleep\" is not known here"),
        (json!({"type": "request"}), "\"config\" is missing"),
        (json!({"type": "request", "config": {"path": "/x", "paht": 1}}), "paht"),
        (json!({"type": "request", "config": {"path": "/{{api_key}}"}}), "secret"),
        (json!({"type": "request", "config": {"type": "magic", "resource": "a", "method": "b"}}), "\"magic\""),
        (json!({"type": "transform", "config": {}}), "\"expression\""),
        (json!({"type": "set_context", "config": {"oauth": {"token": {}}}}), "credential"),
        (json!({"type": "set_context", "config": []}), "must be an object"),
    ] {
        let error = step(&wrong).expect_err(named);
        assert!(error.contains(named), "{error}");
        let stored = json!({"post_install": {"steps": [wrong]}, "validation": {"steps": [{"type": "get_context"}]}});
        if let Ok(definition) = Definition::load(&document(&stored), &Map::new()) {
            assert!(definition.actions().get("validation").is_some(), "{named}");
        }
    }
}

#[test]
fn a_steps_own_address_is_one_that_the_credential_is_bound_to() {
    let request = json!({"type": "request", "config": {"path": "/me", "base_url": "https://hooks.acme.example"}});
    let definition = written(&json!({"post_install": {"steps": [request]}})).expect("a definition");
    let addresses = definition.addresses(AuthenticationMethod::ApiKey, &Map::new());
    assert!(serde_json::to_string(&addresses).expect("JSON").contains("hooks.acme.example"), "{addresses:?}");
}

#[test]
fn the_connect_steps_are_those_with_something_to_do() {
    use ConnectStep::{PostInstall, Validation};
    let one = json!({"steps": [{"type": "get_context"}]});
    for (actions, first, after) in [
        (json!({}), None, None),
        (json!({"sync": one}), None, None),
        (json!({"post_install": one}), Some(PostInstall), None),
        (json!({"validation": one, "post_install": {"steps": []}}), Some(Validation), Some(Validation)),
        (json!({"validation": one, "post_install": one}), Some(PostInstall), Some(Validation)),
    ] {
        let definition = written(&actions).expect("a definition");
        let found = definition.actions();
        assert_eq!((found.first_connect_step(), found.connect_step_from(Validation)), (first, after), "{actions}");
    }
}

#[test]
fn each_expression_has_its_place() {
    let steps = json!([
        {"type": "transform", "config": "a", "run_if": "b"},
        {"type": "update_context", "config": {"expression": "c"}},
        {"type": "form", "config": {"fields": [], "validation": "d"}},
    ]);
    let definition = written(&json!({"sync": {"steps": steps}})).expect("a definition");
    let found = definition.actions().expressions();
    let shown: Vec<_> = found.iter().map(|(place, text)| format!("{place}: {text}")).collect();
    assert_eq!(
        shown,
        [
            "actions.sync.steps[0].run_if: b",
            "actions.sync.steps[0].config.expression: a",
            "actions.sync.steps[1].config.expression: c",
            "actions.sync.steps[2].config.validation: d",
        ]
    );
}

#[test]
fn the_refresh_token_is_named_only_by_the_steps_that_renew_it() {
    let oauth = |name: &str, steps: Value| {
        let credentials = json!({"format": "oauth2", "config": {
            "client": {"id": "acme"}, "auth": {"tokenHost": "https://as.acme.example"},
        }});
        let mut document = document(&json!({ name: { "steps": steps } }));
        document["config"]["credentials"] = credentials;
        document["config"]["relink"] = json!({"client_secret": "never"});
        parse(&document.to_string()).map(|parsed| parsed.definition).map_err(|error| error.to_string())
    };
    let request = |part: &str, value: Value| {
        let mut config = json!({"path": "/session", "method": "post"});
        config[part] = value;
        json!({"type": "request", "config": config})
    };
    let leave = json!({"type": "update_context", "config": "$previous"});
    let token = "{{oauth.token.refresh_token}}";
    for (part, value) in [
        ("body", json!({"token": token})),
        ("headers", json!({"X-Token": token})),
        ("query", json!({"token": token})),
        ("authorization", json!({"format": "bearer", "config": {"token": token}})),
    ] {
        let steps = json!([request(part, value), leave]);
        oauth("refresh_token", steps.clone()).unwrap_or_else(|error| panic!("{part}: {error}"));
        let error = oauth("sync", steps).expect_err("another action");
        assert!(error.contains("names a secret that is never sent"), "{error}");
    }
    let in_path = json!([{"type": "request", "config": {"path": format!("/session/{token}")}}, leave]);
    let error = oauth("refresh_token", in_path).expect_err("in a URL");
    assert!(error.contains("secret"), "{error}");
    let id_token = json!([request("body", json!("{{oauth.token.id_token}}")), leave]);
    assert!(oauth("refresh_token", id_token).is_err(), "of the tokens, these two");
    let error = oauth("refresh_token", json!([request("body", json!(token))])).expect_err("nothing is left");
    assert!(error.contains("must leave the new tokens"), "{error}");
}
