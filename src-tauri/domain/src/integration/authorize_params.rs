//! Additional parameters of the authorization request: `authorize_params`, and the query of `authorizePath`.

use url::form_urlencoded;

use super::{
    error::{DefinitionError, quoted},
    node::Node,
    web_url::UrlPath,
};

/// Parameters that Relink sets itself, or that would replace or redirect the whole request (RFC 6749 §4.1.1, RFC 7636 §4.3,
/// RFC 9101 §5, OpenID Connect Core §3.1.2.1). A definition that set one could undo PKCE, `state` or the redirect URI.
const RESERVED: &[&str] = &[
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

const RESERVED_PROBLEM: &str = "this parameter is set by Relink itself; remove it";

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name.trim().to_ascii_lowercase().as_str())
}

/// Refuses a reserved parameter in an object of parameters that Relink doesn't send.
pub(super) fn check(node: &Node<'_>) -> Result<(), DefinitionError> {
    let params = node.object()?;
    let mut reserved = params.entries().filter(|(key, _)| is_reserved(key));
    reserved.try_for_each(|(_, node)| node.fail_if_written(RESERVED_PROBLEM))
}

/// The parameters of an object. A reserved one that an earlier version accepted is left out.
pub(super) fn decode(node: &Node<'_>) -> Result<Vec<(String, String)>, DefinitionError> {
    let mut params = Vec::new();
    for (key, node) in node.object()?.entries() {
        if is_reserved(key) {
            node.fail_if_written(RESERVED_PROBLEM)?;
        } else {
            params.push((key.to_owned(), node.literal()?.to_owned()));
        }
    }
    Ok(params)
}

/// A path whose query holds no reserved parameter. One that an earlier version accepted is left out.
pub(super) fn path(node: &Node<'_>) -> Result<UrlPath, DefinitionError> {
    let path = node.parse(UrlPath::parse)?;
    let mut names = form_urlencoded::parse(path.query().unwrap_or_default().as_bytes()).map(|(name, _)| name);
    if let Some(name) = names.find(|name| is_reserved(name)) {
        let name = quoted(&name);
        node.fail_if_written(format_args!(
            "has the parameter {name} in its query, which is set by Relink itself; remove it"
        ))?;
    }
    Ok(path.without(is_reserved))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::integration::{Definition, parse};

    fn acme(authorize_path: &str, params: &Value) -> Value {
        json!({ "name": "acme", "config": {
            "label": "Acme",
            "base_url": "https://api.acme.example",
            "credentials": { "format": "oauth2", "config": {
                "client": { "id": "relink" },
                "auth": {
                    "tokenHost": "https://auth.acme.example",
                    "tokenPath": "/token",
                    "authorizePath": authorize_path,
                },
            } },
            "relink": { "authorize_params": params },
        } })
    }

    #[test]
    fn a_parameter_that_relink_sets_is_refused_in_the_path_and_in_the_params() {
        for name in RESERVED.iter().copied().chain(["State", "REDIRECT_URI", "Nonce"]) {
            let in_params = parse(&acme("/authorize", &json!({ name: "x" })).to_string()).expect_err(name);
            assert!(in_params.path.ends_with(&format!("authorize_params.{name}")), "{in_params}");
            for query in
                [format!("{name}=x"), format!("prompt=consent&{name}=x"), name.to_owned(), format!("%20{name}=x")]
            {
                let path = format!("/authorize?{query}");
                let in_path = parse(&acme(&path, &json!({})).to_string()).expect_err(&query);
                assert!(
                    in_path.position.is_some() && in_path.path.ends_with("auth.authorizePath"),
                    "{query}: {in_path}"
                );
            }
        }
        for encoded in ["/authorize?st%61te=x", "/authorize?%73tate=x", "/authorize?code%5Fchallenge_method=plain"] {
            assert!(parse(&acme(encoded, &json!({})).to_string()).is_err(), "{encoded}");
        }
    }

    #[test]
    fn a_placeholder_that_is_never_filled_is_refused() {
        let error = parse(&acme("/authorize", &json!({ "audience": "{{context.audience}}" })).to_string());
        assert!(error.expect_err("refused").problem.starts_with("contains a placeholder"));
        let auth = "/config/credentials/oauth2/config";
        for (pointer, value) in [
            ("/client/id", json!("{{context.client}}")),
            ("/scope", json!(["{{context.scope}}"])),
            ("/scope", json!("read {{scope}}")),
        ] {
            let mut document = acme("/authorize", &json!({}));
            let credentials = document["config"]["credentials"].take();
            document["config"]["credentials"] = json!({ "oauth2": credentials });
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            let parent = document.pointer_mut(&format!("{auth}{parent}")).expect(pointer);
            parent[key] = value;
            let error = parse(&document.to_string()).expect_err(pointer);
            assert!(error.problem.starts_with("contains a placeholder"), "{pointer}: {error}");
            assert!(Definition::load(&document, &Map::new()).is_ok(), "{pointer}: stored ones stay");
        }
    }

    #[test]
    fn other_parameters_stay() {
        let path = "/authorize?prompt=consent&access_type=offline&states=1&my_state=2";
        let parsed = parse(&acme(path, &json!({ "audience": "api", "token_access_type": "offline" })).to_string());
        let definition = parsed.expect("accepted").definition;
        let oauth2 = definition.oauth2().expect("oauth2");
        assert_eq!(oauth2.authorize_url.as_str(), format!("https://auth.acme.example{path}"));
        assert_eq!(oauth2.authorize_params.len(), 2);
    }

    #[test]
    fn a_stored_definition_stays_usable_without_them() {
        let stored = acme(
            "/authorize?state=x&prompt=consent&code_challenge_method=plain",
            &json!({ "nonce": "x", "audience": "api", "redirect_uri": "https://evil.example" }),
        );
        let definition = Definition::load(&stored, &Map::new()).expect("loaded");
        let oauth2 = definition.oauth2().expect("oauth2");
        assert_eq!(oauth2.authorize_url.as_str(), "https://auth.acme.example/authorize?prompt=consent");
        assert_eq!(oauth2.authorize_params, [("audience".to_owned(), "api".to_owned())]);
        let only_reserved = Definition::load(&acme("/authorize?state=x", &json!({})), &Map::new()).expect("loaded");
        assert_eq!(
            only_reserved.oauth2().expect("oauth2").authorize_url.as_str(),
            "https://auth.acme.example/authorize"
        );
    }
}
