//! The scope, and what holds a secret.

use super::*;

#[test]
fn a_secret_is_found_under_each_of_its_names_and_marked() {
    for name in ["api_key", "credentials.api_key", "context.api_key"] {
        assert_eq!(filled(&json!(format!("{{{{{name}}}}}"))), (Some(json!("k {{region}}")), true), "{name}");
    }
    let names =
        ["oauth.token.access_token", "context.oauth.token.access_token", "access_token", "context.access_token"];
    for name in names {
        assert_eq!(
            filled(&json!({"a": [format!("x{{{{{name}}}}}")]})),
            (Some(json!({"a": ["xat-1"]})), true),
            "{name}"
        );
    }
    assert_eq!(filled(&json!("{{region}}")), (Some(json!("eu")), false));
}

#[test]
fn a_secret_variable_is_found_under_its_own_root_alone_and_marked() {
    let of = |text: &str| filled(&json!(text));
    assert_eq!(of("{{secret_environment_variables.HOOK}}"), (Some(json!("wh-1")), true));
    for nothing in
        ["secret_environment_variables.OTHER", "secret_environment_variables", "HOOK", "environment_variables.HOOK"]
    {
        assert_eq!(of(&format!("{{{{{nothing}:any:null}}}}")), (Some(Value::Null), false), "{nothing}");
    }
    let named = TextTemplate::parse("{{secret_environment_variables.HOOK}}");
    assert!(named.placeholders().all(|placeholder| placeholder.names_secret(|_| false)));
}

#[test]
fn protected_paths_lead_nowhere_even_if_the_context_has_them() {
    for name in
        ["oauth.token.refresh_token", "context.oauth.token.refresh_token", "oauth.token", "credentials.oauth.token"]
    {
        assert_eq!(filled(&json!(format!("{{{{{name}:any:null}}}}"))), (Some(Value::Null), false), "{name}");
        assert!(
            TextTemplate::parse(&format!("{{{{{name}}}}}"))
                .placeholders()
                .all(|placeholder| { placeholder.references().all(Reference::is_token_apart) })
        );
    }
    for name in ["oauth", "context.oauth"] {
        assert_eq!(filled(&json!(format!("{{{{{name}:json}}}}"))), (Some(json!({"scope": ["read"]})), false), "{name}");
    }
    let (context, holds_secret) = filled(&json!("{{context:json}}"));
    assert_eq!(context.expect("the context")["oauth"], json!({"scope": ["read"]}));
    assert!(!holds_secret);
}

#[test]
fn a_root_hides_the_context_even_without_a_value() {
    let account = Account::new();
    let body = json!({"name": "Ada"});
    let roots = [("body", Root::Value(&body)), ("run", Root::Text("r-1"))];
    let scope = Scope { tenant_id: Some("t-1"), roots: &roots, ..account.scope() };
    let fill = |text: &str| TextTemplate::parse(text).fill(&scope).expect("a value").into_plain().expect("no secret");
    assert_eq!(
        fill("{{body.name}} {{tenant_id}} {{run}} {{id}} {{context.id}}"),
        Some(json!("Ada t-1 r-1 {{id}} hidden"))
    );
}

#[test]
fn a_value_is_put_in_as_it_is() {
    assert_eq!(filled(&json!("<{{text}}>")).0, Some(json!("<{{api_key}}>")));
    assert_eq!(filled(&json!({"a": "{{context:json}}"})).0.expect("an object")["a"]["text"], json!("{{api_key}}"));
}

#[test]
fn a_text_for_a_header_needs_each_of_its_values() {
    for (template, expected) in [
        ("Bearer {{access_token}}", Some("Bearer at-1")),
        ("{{site.id}}-{{list}}", Some("7-1,null")),
        ("{{nothing}}", None),
        ("{{gone:str:undefined}}", None),
        ("a{{gone:str:undefined}}b", Some("ab")),
        ("{{gone ?: none}}", Some(" none")),
        ("plain }}", Some("plain }}")),
    ] {
        assert_eq!(secret(template), Ok(expected.map(str::to_owned)), "{template}");
    }
    for (template, placeholder, is_optional) in
        [("x {{ gone }}", "gone", false), ("{{a|credentials.other}}", "a|credentials.other", true)]
    {
        let missing = MissingValue { placeholder: placeholder.to_owned(), is_optional };
        assert_eq!(secret(template), Err(FillError::Missing(missing)), "{template}");
    }
}

#[test]
fn a_filled_template_is_never_printed() {
    let account = Account::new();
    let filled = TextTemplate::parse("{{api_key}}").fill(&account.scope()).expect("a value");
    assert_eq!(format!("{filled:?}"), "<redacted>");
    assert!(filled.into_plain().is_err());
}

#[test]
fn each_text_of_a_value_with_a_secret_is_wiped() {
    let mut value = json!({"a": ["secret", 1, {"b": "secret"}], "c": "secret"});
    wipe(&mut value);
    assert_eq!(value, json!({"a": ["", 1, {"b": ""}], "c": ""}));
}

#[test]
fn a_placeholder_tells_what_it_names() {
    use Reference::{AccessToken, Field, Other, Protected, RefreshToken, Root};
    let field = |name, is_in_credentials| Field { name, is_in_credentials };
    for (text, references) in [
        ("{{credentials.x|y|context.z}}", vec![field("x", true), field("y", false), field("z", false)]),
        ("{{oauth.token.access_token | context.oauth.token.access_token:any}}", vec![AccessToken, AccessToken]),
        ("{{oauth.token.refresh_token}}", vec![RefreshToken]),
        ("{{context.oauth.token.refresh_token|oauth.token.refresh_token.x}}", vec![RefreshToken, Protected]),
        ("{{oauth.token.id_token ?: none}}", vec![Protected]),
        ("{{a oauth.token.0}}", vec![Protected]),
        ("{{body.x|id|context|a b|site.id}}", vec![Root("body"), Root("id"), Other, Other, Other]),
    ] {
        let template = TextTemplate::parse(text);
        let found: Vec<_> = template.placeholders().flat_map(Placeholder::references).collect();
        assert_eq!(found, references, "{text}");
    }
}

#[test]
fn what_would_be_an_error_is_known_before_it_is_filled() {
    for (text, is_malformed) in [
        ("{{a:int | b:null ?: c:json}}", false),
        ("{{a|b:flaot}}", true),
        ("{{a ?: 5: int}}", true),
        ("{{a | }}", true),
        ("{{ }}", true),
    ] {
        let template = TextTemplate::parse(text);
        assert_eq!(template.placeholders().any(|it| it.problem().is_some()), is_malformed, "{text}");
    }
}

#[test]
fn only_the_steps_of_a_refresh_see_the_refresh_token() {
    let (context, fields) = (json!({"oauth": {"token": {"refresh_token": "of-the-context"}}}), BTreeMap::new());
    let (context, token) = (context.as_object().expect("an object"), Secret::new("rt-1"));
    let template = Template::compile(&json!("{{oauth.token.refresh_token:str:null}}"));
    let of = |scope: &Scope<'_>| template.fill(scope).expect("filled").expose().cloned();
    let scope = Scope::new(context, &fields, None);
    assert_eq!(of(&scope), Some(Value::Null));
    let scope = Scope { refresh_token: Some(&token), ..scope };
    assert_eq!(of(&scope), Some(json!("rt-1")));
    assert!(template.fill(&scope).expect("filled").into_plain().is_err(), "it is a secret");
}
