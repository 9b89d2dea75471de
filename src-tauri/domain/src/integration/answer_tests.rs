use serde_json::json;

use crate::integration::{Definition, DefinitionError, Look, parse};

fn acme(relink: &serde_json::Value) -> Result<Definition, DefinitionError> {
    let document = json!({"name": "acme", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": {"oauth2": {"config": {"auth": {"tokenHost": "https://auth.acme.example"}}}},
        "relink": relink,
    }});
    parse(&document.to_string()).map(|parsed| parsed.definition)
}

#[test]
fn an_answer_that_means_expired_is_recognized() {
    for (when, status, body, expected) in [
        // Marketo.
        (json!({"status": 200, "path": "errors.0.code", "equals": "602"}), 200, r#"{"errors":[{"code":"602"}]}"#, true),
        (json!({"status": 200, "path": "errors.0.code", "equals": 602}), 200, r#"{"errors":[{"code":"602"}]}"#, true),
        (
            json!({"status": 200, "path": "errors.0.code", "equals": "602"}),
            200,
            r#"{"errors":[{"code":"601"}]}"#,
            false,
        ),
        (
            json!({"status": 200, "path": "errors.0.code", "equals": "602"}),
            400,
            r#"{"errors":[{"code":"602"}]}"#,
            false,
        ),
        (json!({"status": 200, "path": "errors.0.code", "equals": "602"}), 200, "not JSON", false),
        // Microsoft Fabric.
        (json!({"status": 403, "empty": true}), 403, "", true),
        (json!({"status": 403, "empty": true}), 403, " \r\n", true),
        (json!({"status": 403, "empty": true}), 403, "{}", false),
        (json!({"status": 403, "path": "error"}), 403, r#"{"error":{"code":1}}"#, true),
        (json!({"status": 403, "path": "error"}), 403, r#"{"error":null}"#, false),
        (json!({"status": 419}), 419, "anything", true),
        (json!({"status": 419}), 401, "anything", false),
    ] {
        let definition = acme(&json!({"refresh": {"expired_when": [when]}})).expect("accepted");
        let [sign] = definition.refresh().expired_when.as_slice() else { panic!("one sign") };
        assert_eq!(sign.matches(status, body.as_bytes()), expected, "{when} {status} {body}");
        let look = sign.look(status, None);
        assert!(!expected || look != Look::No, "what can match is looked at: {when} {status}");
        assert!(look != Look::Matches || expected, "{when} {status}");
    }
    let definition = acme(&json!({"refresh": {"expired_when": [{"status": 200, "path": "code"}]}})).expect("accepted");
    let [sign] = definition.refresh().expired_when.as_slice() else { panic!("one sign") };
    for (content_type, look) in [
        (None, Look::AtBody),
        (Some("application/json; charset=utf-8"), Look::AtBody),
        (Some("Application/Problem+JSON"), Look::AtBody),
        (Some("text/event-stream"), Look::No),
        (Some("application/x-ndjson"), Look::No),
        (Some("application/pdf"), Look::No),
    ] {
        assert_eq!(sign.look(200, content_type), look, "{content_type:?}");
    }
    for refused in [
        json!([{"status": "403"}]),
        json!([{"status": 99}]),
        json!([{"status": 200}]),
        json!([{"path": "error"}]),
        json!([{"status": 403, "equals": 1}]),
        json!([{"status": 403, "empty": true, "path": "error"}]),
        json!([{"status": 403, "path": "error", "equals": {}}]),
        json!({"status": 403}),
    ] {
        assert!(acme(&json!({"refresh": {"expired_when": refused}})).is_err(), "{refused}");
    }
}

#[test]
fn what_is_kept_has_a_name_that_templates_can_read() {
    let relink = json!({
        "token_path": "authed_user.access_token",
        "scope_path": "authed_user.scope",
        "keep": {
            "instance_url": {"from": "token", "path": "instance_url"},
            "accounts-server": {"from": "callback", "path": "accounts-server"},
            "cloud_id": {"from": "identity", "path": "0.id"},
        },
        "probe": {"path": "/sites"},
        "identity": {"path": "/sites", "id": "0.id"},
    });
    let definition = acme(&relink).expect("accepted");
    let oauth2 = definition.oauth2().expect("oauth2");
    let kept: Vec<_> = oauth2.answer.keep.iter().map(|kept| kept.name.as_str()).collect();
    let from_callback: Vec<_> = oauth2.keep_from_callback.iter().map(|kept| kept.path.as_str()).collect();
    assert_eq!((kept, from_callback), (vec!["instance_url"], vec!["accounts-server"]));
    let [from_identity] = definition.kept_from_identity() else { panic!("one value") };
    let sites = json!([{"id": "c1de"}, {"id": "other"}]);
    assert_eq!((from_identity.name.as_str(), from_identity.path.find(&sites)), ("cloud_id", Some(&json!("c1de"))));
    let circle = json!({
        "keep": {"site": {"from": "identity", "path": "id"}},
        "probe": {"path": "/sites/{{site}}"},
        "identity": {"path": "/sites/{{site}}", "id": "id"},
    });
    assert!(acme(&circle).is_err(), "the identity's URL can't depend on its answer");
    for (keep, what) in [
        (json!({"access_token": {"from": "token", "path": "x"}}), "a credential"),
        (json!({"body": {"from": "token", "path": "x"}}), "a root"),
        (json!({"a.b": {"from": "token", "path": "x"}}), "a path"),
        (json!({"a": {"from": "header", "path": "x"}}), "an unknown source"),
        (json!({"a": {"from": "identity", "path": "x"}}), "no identity"),
        (json!({"a": {"from": "token"}}), "no path"),
        (json!({"a": {"path": "x"}}), "no source"),
        (json!({"a": {"from": "token", "path": "x", "default": "y"}}), "an unknown key"),
    ] {
        assert!(acme(&json!({ "keep": keep })).is_err(), "{what}");
    }
}

#[test]
fn only_short_values_are_kept() {
    use super::Kept;
    for (value, fits) in [
        (json!("https://acme.my.salesforce.com"), true),
        (json!(7), true),
        (json!(true), true),
        (json!("x".repeat(1024)), true),
        (json!("x".repeat(1025)), false),
        (json!(""), false),
        (json!("a\nb"), false),
        (json!(null), false),
        (json!({"a": 1}), false),
        (json!([1]), false),
    ] {
        assert_eq!(Kept::<String>::fits(&value), fits, "{value:.40}");
    }
}
