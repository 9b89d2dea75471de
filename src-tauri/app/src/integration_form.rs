//! Converts the form for a new integration into a definition, and reports mistakes at the form's fields.

use relink_contract::window::{ErrorView, NewIntegration};
use relink_domain::integration::{Reach, RedirectKind, WebUrl, parse};
use serde_json::json;

use crate::{Result, error::invalid_field};

/// The text of the definition, in Truto's `config` shape. It contains only whether there is a client secret.
pub(crate) fn definition(form: &NewIntegration, has_client_secret: bool) -> Result<String> {
    require_name(form)?;
    let base_url = url("base_url", &form.base_url)?;
    let authorize = endpoint("authorize_url", &form.authorize_url)?;
    let token = endpoint("token_url", &form.token_url)?;
    let redirects = match form.redirect {
        None => vec![RedirectKind::DeepLink, RedirectKind::Loopback],
        Some(kind) => vec![kind],
    };
    let scopes: Vec<&str> = form.scopes.split_whitespace().collect();
    let client_secret = if has_client_secret { "required" } else { "optional" };
    // Entering an address of this machine or its network counts as consent.
    let allow_local = [&base_url, &authorize, &token].iter().any(|url| url.reach() == Reach::Local);
    let text = json!({
        "name": form.name,
        "category": "own",
        "config": {
            "label": form.label,
            "base_url": form.base_url.trim(),
            "credentials": { "oauth2": { "format": "oauth2", "config": {
                "client": { "id": form.client_id, "secret": "" },
                "auth": {
                    "tokenHost": token.origin().as_str(), "tokenPath": token.as_url().path(),
                    "authorizeHost": authorize.origin().as_str(), "authorizePath": authorize.as_url().path()
                },
                "scope": scopes,
                "pkce": { "method": "S256" }
            } } },
            "authorization": { "oauth2": { "format": "bearer", "config": { "path": "oauth.token.access_token" } } },
            "relink": {
                "client_secret": client_secret,
                "redirects": redirects,
                "allow_local": allow_local
            }
        }
    })
    .to_string();
    // The line of a text that nobody has written says nothing: the error belongs to the field that its path came from.
    match parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(mistake(field_of(&error.path), &error.problem)),
    }
}

fn require_name(form: &NewIntegration) -> Result<()> {
    if form.label.trim().is_empty() {
        return Err(invalid_field("label", "Enter a name."));
    }
    if form.name.is_empty() {
        let message = "Enter an API name: lowercase letters from a to z, digits, - and _, such as acme-crm.";
        return Err(invalid_field("name", message));
    }
    Ok(())
}

fn url(field: &str, text: &str) -> Result<WebUrl> {
    if text.trim().is_empty() {
        return Err(invalid_field(field, "Enter a URL. It must start with https://."));
    }
    WebUrl::parse(text.trim()).map_err(|error| mistake(Some(field), &error.to_string()))
}

fn endpoint(field: &str, text: &str) -> Result<WebUrl> {
    let url = url(field, text)?;
    if url.has_query() {
        return Err(invalid_field(
            field,
            "The URL must not contain a question mark. Leave out everything from there on.",
        ));
    }
    Ok(url)
}

/// The form's field that the value at this path of the definition came from.
fn field_of(path: &str) -> Option<&'static str> {
    const FIELDS: [(&str, &str); 9] = [
        ("name", "name"),
        ("config.label", "label"),
        ("config.base_url", "base_url"),
        ("config.credentials.oauth2.config.auth.authorize", "authorize_url"),
        ("config.credentials.oauth2.config.auth.token", "token_url"),
        ("config.credentials.oauth2.config.scope", "scopes"),
        ("config.credentials.oauth2.config.client.id", "client_id"),
        ("config.credentials.oauth2.config.client.secret", "client_secret"),
        ("config.relink.redirects", "redirect"),
    ];
    FIELDS.iter().find(|(prefix, _)| path.starts_with(prefix)).map(|(_, field)| *field)
}

fn mistake(field: Option<&str>, problem: &str) -> ErrorView {
    let ends = problem.ends_with(['.', ')']);
    ErrorView {
        field: field.map(str::to_owned),
        ..invalid_field("", &format!("{problem}{}", if ends { "" } else { "." }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> NewIntegration {
        NewIntegration {
            name: "acme-crm".to_owned(),
            label: "Acme CRM".to_owned(),
            base_url: "https://api.acme.test".to_owned(),
            authorize_url: "https://acme.test/oauth/authorize".to_owned(),
            token_url: "https://acme.test/oauth/token".to_owned(),
            scopes: "read write".to_owned(),
            client_id: "abc".to_owned(),
            client_secret: None,
            redirect: None,
        }
    }

    #[test]
    fn every_mistake_is_reported_at_its_field_and_never_by_line() {
        type Change = fn(&mut NewIntegration);
        let cases: [(&str, Change); 20] = [
            ("name", |form| form.name = String::new()),
            ("name", |form| form.name = "Приложение".to_owned()),
            ("name", |form| form.name = "1password".to_owned()),
            ("name", |form| form.name = "Acme CRM".to_owned()),
            ("name", |form| form.name = "a".repeat(65)),
            ("label", |form| form.label = " ".to_owned()),
            ("label", |form| form.label = "two\nlines".to_owned()),
            ("label", |form| form.label = "long ".repeat(100)),
            ("base_url", |form| form.base_url = String::new()),
            ("base_url", |form| form.base_url = "api.acme.test".to_owned()),
            ("base_url", |form| form.base_url = "http://api.acme.test".to_owned()),
            ("base_url", |form| form.base_url = "https://api.acme.test?key=1".to_owned()),
            ("base_url", |form| form.base_url = "https://169.254.169.254/".to_owned()),
            ("base_url", |form| form.base_url = "https://{{context.host}}/".to_owned()),
            ("authorize_url", |form| form.authorize_url = "ftp://acme.test/authorize".to_owned()),
            ("authorize_url", |form| form.authorize_url = "https://acme.test/authorize?prompt=none".to_owned()),
            ("authorize_url", |form| form.authorize_url = "https://acme.test/a\\b".to_owned()),
            ("token_url", |form| form.token_url = "https://ada:hush@acme.test/token".to_owned()),
            ("token_url", |form| form.token_url = "https://acme.test/token#x".to_owned()),
            ("token_url", |form| form.token_url = "no address".to_owned()),
        ];
        for (field, change) in cases {
            let mut changed = form();
            change(&mut changed);
            let refused = definition(&changed, false).expect_err(field);
            assert_eq!(refused.field.as_deref(), Some(field), "{changed:?}: {refused:?}");
            let text = &refused.message;
            assert!(!text.contains("line ") && !text.contains("column") && !text.contains("hush"), "{refused:?}");
            assert!(text.ends_with(['.', ')']), "{text}");
        }
    }

    #[test]
    fn the_filled_form_makes_a_definition() {
        assert!(definition(&form(), true).is_ok());
        let spaces = NewIntegration { base_url: " https://api.acme.test ".to_owned(), scopes: String::new(), ..form() };
        assert!(definition(&spaces, false).is_ok());
    }

    #[test]
    fn an_address_of_this_machine_or_its_network_may_be_entered_in_each_url() {
        let local = "https://192.168.1.10/x".to_owned();
        for changed in [
            NewIntegration { base_url: local.clone(), ..form() },
            NewIntegration { authorize_url: local.clone(), ..form() },
            NewIntegration { token_url: local.clone(), ..form() },
            NewIntegration { token_url: "http://localhost:8080/token".to_owned(), ..form() },
        ] {
            assert!(definition(&changed, false).is_ok(), "{changed:?}");
        }
    }
}
