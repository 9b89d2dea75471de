//! What a field of the form does that may be left empty, in each place where its placeholder can stand.

use std::collections::BTreeMap;

use relink_contract::connect::FlowPhase;
use relink_domain::{
    Secret,
    account::AuthenticationMethod,
    integration::parse,
    link::{LinkOptions, Purpose},
};
use serde_json::{Value, json};

use crate::{
    accounts::Accounts,
    connections::BeginFlow,
    store::accounts,
    testing::{LocalServer, PERSON, Services, WAIT_TIMEOUT, install},
};

/// Acme at this origin. The form's fields may all be left empty.
fn acme(origin: &str, authorization: &Value, headers: &Value, probe: &Value) -> Value {
    let field = |name: &str, label: &str, kind: &str| json!({ "name": name, "label": label, "type": kind });
    let mut relink = json!({ "allow_local": true });
    if probe.is_object() {
        relink["probe"] = probe.clone();
    }
    json!({ "name": "acme", "config": {
        "label": "Acme",
        "base_url": origin,
        "headers": headers,
        "credentials": { "format": "api_key", "config": { "fields": [
            field("api_key", "API key", "password"),
            field("org", "Organization", "text"),
            field("pin", "PIN", "password"),
        ] } },
        "authorization": authorization,
        "relink": relink,
    } })
}

fn bearer() -> Value {
    json!({ "format": "bearer", "config": { "path": "credentials.api_key" } })
}

fn header(value: &str) -> Value {
    json!({ "format": "header", "config": { "header_name": "Authorization", "header_value": value } })
}

fn basic(username: &str, password: &str) -> Value {
    json!({ "format": "basic", "config": { "username": username, "password": password } })
}

fn probe() -> Value {
    json!({ "path": "/me" })
}

/// How a sign-in ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Connected,
    /// The error's title and field.
    Failed(String, Option<String>),
}

fn failed(title: &str, field: &str) -> Ended {
    Ended::Failed(title.to_owned(), Some(field.to_owned()))
}

/// Connects an account with what is typed. Returns how it ended, and the head of each request.
async fn connect(server: &LocalServer, definition: Value, typed: &[(&str, &str)], status: u16) -> (Ended, Vec<String>) {
    let services = Services::new();
    let installed = services.store.write(move |tx| install(tx, definition)).await.expect("stored");
    services.providers.publish(installed);
    let all: Accounts = services.accounts();
    let connections = services.connections(&all, true);
    let purpose = Purpose::Connect { tenant_id: "acme-1".into() };
    let link = connections.create_link(&PERSON, purpose, LinkOptions::default()).await.expect("a link").token;
    let fields: BTreeMap<_, _> = typed.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
    let wanted = BeginFlow {
        integration: "acme".into(),
        format: AuthenticationMethod::ApiKey,
        redirect: None,
        fields,
        skips_form: true,
    };
    let begun = connections.begin_flow(&PERSON, link.expose(), wanted).await.expect("it begins");
    let mut heads = Vec::new();
    let provider = async {
        loop {
            let request = server.request().await;
            heads.push(request.head.to_lowercase());
            request.respond(status, r#"{"id": "7"}"#).await;
        }
    };
    let follow = async {
        let mut flow = begun.flow;
        while !matches!(flow.phase, FlowPhase::Succeeded | FlowPhase::Failed) {
            let next = connections.flow(&PERSON, flow.id, begun.key.expose(), Some(flow.version), WAIT_TIMEOUT).await;
            flow = next.expect("the flow");
        }
        flow
    };
    let flow = tokio::select! {
        () = provider => unreachable!("it serves until the flow has ended"),
        flow = follow => flow,
    };
    let saved = services.store.read(accounts::ids).await.expect("read").len();
    let ended = match flow.error {
        Some(error) => Ended::Failed(error.title, error.field),
        None => Ended::Connected,
    };
    assert_eq!(saved, usize::from(ended == Ended::Connected), "an account is saved if the sign-in says so");
    assert_eq!(services.backend.names().len(), saved);
    (ended, heads)
}

/// Authorization, headers, probe, what is typed, the response's status, how it ends, and what the request contains; `None`: there
/// is none.
type Case<'c> = (Value, &'c Value, Value, Vec<(&'c str, &'c str)>, u16, Ended, Option<Vec<&'c str>>);

#[tokio::test]
async fn an_empty_optional_field_is_left_out_or_asked_for_in_every_place() {
    let server = LocalServer::listen().await;
    let key = ("api_key", "k");
    let org = ("org", "o");
    let pin = ("pin", "p");
    let token_and_org = || header("Key {{credentials.api_key}}:{{context.org}}");
    let pair = || basic("{{credentials.api_key}}", "{{credentials.pin}}");
    let x_org = json!({ "X-Org": "org-{{credentials.org}}" });
    let x_pin = json!({ "path": "/me", "headers": { "X-Pin": "{{credentials.pin}}" } });
    let none = json!({});
    let refused = |field: &str| format!("Acme doesn't accept calls without {field}");
    let cases: Vec<Case<'_>> = vec![
        (bearer(), &none, probe(), vec![key], 200, Ended::Connected, Some(vec!["authorization: bearer k"])),
        (bearer(), &none, probe(), vec![], 200, Ended::Connected, Some(vec![])),
        (bearer(), &none, probe(), vec![("api_key", "  ")], 200, Ended::Connected, Some(vec![])),
        (bearer(), &none, probe(), vec![], 401, failed(&refused("API key"), "api_key"), Some(vec![])),
        (bearer(), &none, probe(), vec![org], 401, failed(&refused("API key"), "api_key"), Some(vec![])),
        (
            bearer(),
            &none,
            probe(),
            vec![key],
            401,
            failed("Acme doesn't accept this key", "api_key"),
            Some(vec!["authorization: bearer k"]),
        ),
        (bearer(), &none, Value::Null, vec![], 200, failed("API key is missing", "api_key"), None),
        (bearer(), &none, Value::Null, vec![pin], 200, failed("API key is missing", "api_key"), None),
        (bearer(), &none, Value::Null, vec![key], 200, Ended::Connected, None),
        (token_and_org(), &none, probe(), vec![key, org], 200, Ended::Connected, Some(vec!["authorization: key k:o"])),
        (token_and_org(), &none, probe(), vec![key], 200, failed("Organization is missing", "org"), None),
        (token_and_org(), &none, probe(), vec![org], 200, failed("API key is missing", "api_key"), None),
        (token_and_org(), &none, probe(), vec![], 200, Ended::Connected, Some(vec![])),
        (
            token_and_org(),
            &none,
            probe(),
            vec![],
            401,
            failed(&refused("API key and Organization"), "api_key"),
            Some(vec![]),
        ),
        (token_and_org(), &none, Value::Null, vec![key], 200, failed("Organization is missing", "org"), None),
        (pair(), &none, probe(), vec![key, pin], 200, Ended::Connected, Some(vec!["authorization: basic azpw"])),
        (pair(), &none, probe(), vec![key], 200, Ended::Connected, Some(vec!["authorization: basic azo="])),
        (pair(), &none, probe(), vec![pin], 200, Ended::Connected, Some(vec!["authorization: basic ona="])),
        (pair(), &none, probe(), vec![], 200, Ended::Connected, Some(vec![])),
        (pair(), &none, Value::Null, vec![], 200, failed("API key and PIN are missing", "api_key"), None),
        (basic("relink", "{{credentials.pin}}"), &none, probe(), vec![], 200, Ended::Connected, Some(vec![])),
        (bearer(), &x_org, probe(), vec![key], 200, Ended::Connected, Some(vec!["authorization: bearer k"])),
        (
            bearer(),
            &x_org,
            probe(),
            vec![key, org],
            200,
            Ended::Connected,
            Some(vec!["authorization: bearer k", "x-org: org-o"]),
        ),
        (bearer(), &none, x_pin.clone(), vec![key], 200, Ended::Connected, Some(vec!["authorization: bearer k"])),
        (
            bearer(),
            &none,
            x_pin.clone(),
            vec![key, pin],
            200,
            Ended::Connected,
            Some(vec!["authorization: bearer k", "x-pin: p"]),
        ),
    ];
    assert_each(&server, cases).await;
}

#[tokio::test]
async fn alternatives_defaults_and_the_tenant_reach_the_provider() {
    let server = LocalServer::listen().await;
    let x_tenant = json!({ "X-Tenant": "{{tenant_id}} {{org|credentials.pin ?: none}}" });
    let cases: Vec<Case<'_>> = vec![
        (
            bearer(),
            &x_tenant,
            probe(),
            vec![("api_key", "k"), ("pin", "p")],
            200,
            Ended::Connected,
            Some(vec!["authorization: bearer k", "x-tenant: acme-1 p"]),
        ),
        (
            header("{{org:str:ignore-empty-str|api_key}}"),
            &x_tenant,
            probe(),
            vec![("api_key", "k")],
            200,
            Ended::Connected,
            Some(vec!["authorization: k", "x-tenant: acme-1  none"]),
        ),
    ];
    assert_each(&server, cases).await;
}

async fn assert_each(server: &LocalServer, cases: Vec<Case<'_>>) {
    for (authorization, headers, probe, typed, status, expected, contains) in cases {
        let definition = acme(&server.origin(), &authorization, headers, &probe);
        parse(&definition.to_string()).unwrap_or_else(|error| panic!("{authorization}: {error}"));
        let (ended, heads) = connect(server, definition, &typed, status).await;
        assert_eq!(ended, expected, "{authorization} {headers} {probe} {typed:?}");
        assert_eq!(heads.len(), usize::from(contains.is_some()), "{authorization} {typed:?}: {heads:?}");
        for head in heads {
            let contains = contains.as_deref().unwrap_or_default();
            let own: Vec<_> =
                head.lines().filter(|line| ["authorization:", "x-"].iter().any(|own| line.starts_with(own))).collect();
            assert_eq!(own.len(), contains.len(), "{authorization} {typed:?}: {own:?}");
            assert!(contains.iter().all(|line| own.contains(line)), "{authorization} {typed:?}: {own:?}");
            assert!(!head.contains("{{") && !head.contains("credentials"), "{head}");
        }
    }
}

#[tokio::test]
async fn a_value_in_a_path_or_in_the_query_is_encoded() {
    let server = LocalServer::listen().await;
    let path = json!({ "path": "/orgs/{{org}}/me?in={{credentials.org}}" });
    let mut definition = acme(&server.origin(), &bearer(), &json!({}), &path);
    definition["config"]["query"] = json!({ "key": "{{api_key}}", "pin": "{{pin}}", "v": 2 });
    parse(&definition.to_string()).expect("accepted");
    let (ended, heads) = connect(&server, definition.clone(), &[("api_key", "k&1"), ("org", "a/b c")], 200).await;
    assert_eq!(ended, Ended::Connected);
    let [head] = heads.as_slice() else { panic!("{heads:?}") };
    let target = head.split(' ').nth(1).unwrap_or_default();
    assert!(target.eq_ignore_ascii_case("/orgs/a%2Fb%20c/me?in=a%2Fb+c&key=k%261&v=2"), "{target}");
    let (ended, heads) = connect(&server, definition, &[("api_key", "k"), ("org", "..")], 200).await;
    assert!(matches!(ended, Ended::Failed(..)) && heads.is_empty(), "{ended:?} {heads:?}");
}

#[test]
fn a_secret_is_part_of_no_path_or_host() {
    let definition = acme("https://api.acme.example", &bearer(), &json!({}), &probe());
    parse(&definition.to_string()).expect("accepted without one");
    for (pointer, value) in [
        ("/config/base_url", "https://{{credentials.pin}}.acme.example"),
        ("/config/base_url", "https://api.acme.example/{{credentials.api_key}}"),
        ("/config/relink/probe/path", "/orgs/{{pin}}"),
        ("/config/relink/probe/path", "/me?pin={{pin}}"),
    ] {
        let mut changed = definition.clone();
        *changed.pointer_mut(pointer).expect("there") = json!(value);
        parse(&changed.to_string()).expect_err(value);
    }
}
