//! Which of an account's secrets a program gets.

use std::collections::BTreeMap;

use relink_domain::{
    Secret,
    account::AuthenticationMethod,
    integration::{Authorization, Field},
};

use super::Provider;
use crate::error::{Error, Result};

/// Chooses the secret that the integration's `authorization` names, or the one with the name `field`. `None`: there is no
/// secret at all. Without a provider, whose definition may be unusable, only a single secret can be chosen.
pub(crate) fn choose_secret(
    mut secrets: BTreeMap<String, Secret>,
    provider: Option<&Provider>,
    method: AuthenticationMethod,
    field: Option<&str>,
) -> Result<Option<(String, Secret)>> {
    if let Some(field) = field {
        return match secrets.remove_entry(field) {
            Some(chosen) => Ok(Some(chosen)),
            None => Err(Error::not_found("credential field", field)),
        };
    }
    let is_named = |name: &str| provider.is_some_and(|provider| provider.authorizes_with(method, name));
    let mut names: Vec<_> = secrets.keys().filter(|name| is_named(name)).cloned().collect();
    if names.is_empty() {
        names = secrets.keys().cloned().collect();
    }
    match names.as_slice() {
        [] => Ok(None),
        [name] => Ok(secrets.remove_entry(name)),
        _ => {
            let message = format!(
                "This account signs its calls with several credentials: {}. Request one by its name: relink token ID --field \
                 NAME",
                names.join(", ")
            );
            Err(Error::conflict("several_credentials", message))
        }
    }
}

impl Provider {
    /// The form's fields that the `authorization` of calls contains, in its order.
    pub(crate) fn authorizing_fields(&self, method: AuthenticationMethod) -> Vec<&Field> {
        let named = self.definition.authorization(method).map(Authorization::fields).unwrap_or_default();
        let Some(fields) = self.definition.fields(method) else { return Vec::new() };
        let mut found: Vec<&Field> = Vec::new();
        for field in named.into_iter().filter_map(|name| fields.get(name)) {
            if !found.contains(&field) {
                found.push(field);
            }
        }
        found
    }

    /// Whether the `authorization` of calls contains the secret with this name.
    fn authorizes_with(&self, method: AuthenticationMethod, name: &str) -> bool {
        self.definition.authorization(method).is_some_and(|it| it.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Services, install};

    /// An integration with these fields, whose calls are authorized like this.
    async fn provider(fields: &[&str], authorization: &Value) -> Arc<Provider> {
        let fields: Vec<_> =
            fields.iter().map(|name| json!({ "name": name, "type": "password", "label": name })).collect();
        let definition = json!({
            "name": "acme",
            "config": {
                "label": "Acme",
                "base_url": "https://api.acme.example",
                "credentials": { "api_key": { "format": "api_key", "config": { "fields": fields } } },
                "authorization": { "api_key": authorization },
            },
        });
        let services = Services::new();
        let installed = services.store.write(move |tx| install(tx, definition)).await.expect("stored");
        let id = installed.id;
        services.providers.publish(installed);
        services.providers.get(id).expect("it can be used")
    }

    fn choose(provider: Option<&Provider>, names: &[&str], field: Option<&str>) -> Result<Option<String>, String> {
        let secrets = names.iter().map(|name| ((*name).to_owned(), Secret::new(format!("the {name}")))).collect();
        match choose_secret(secrets, provider, AuthenticationMethod::ApiKey, field) {
            Ok(chosen) => Ok(chosen.map(|(name, secret)| {
                assert_eq!(secret.expose(), format!("the {name}"));
                name
            })),
            Err(error) => Err(format!("{}: {error}", error.code())),
        }
    }

    #[tokio::test]
    async fn the_secret_that_the_authorization_names_is_chosen() {
        let names = ["hmac_secret", "token"];
        for authorization in [
            json!({ "format": "bearer", "config": { "path": "credentials.token" } }),
            json!({ "format": "header", "config": { "header_name": "X-Key", "header_value": "key={{credentials.token}}" } }),
            json!({ "format": "basic", "config": { "username": "{{credentials.token}}" } }),
            json!({ "format": "basic", "config": { "username": "x", "password": "{{credentials.token}}" } }),
            json!({ "format": "header", "config": { "header_name": "X-Key", "header_value": "{{context.token}}" } }),
            json!({ "format": "header", "config": { "header_name": "X-Key", "header_value": "{{gone|token}}" } }),
        ] {
            let provider = provider(&names, &authorization).await;
            assert_eq!(choose(Some(&provider), &names, None), Ok(Some("token".into())), "{authorization}");
            assert_eq!(choose(Some(&provider), &names, Some("hmac_secret")), Ok(Some("hmac_secret".into())));
            let unknown = choose(Some(&provider), &names, Some("other")).expect_err("unknown");
            assert!(unknown.starts_with("not_found: "), "{unknown}");
        }
    }

    #[tokio::test]
    async fn a_refused_key_is_blamed_on_the_fields_that_the_authorization_names() {
        let names = ["a_secret", "token", "z_user"];
        for (authorization, blamed) in [
            (json!({ "format": "bearer", "config": { "path": "credentials.token" } }), vec!["token"]),
            (json!({ "format": "bearer", "config": { "path": "token" } }), vec!["token"]),
            (
                json!({ "format": "header", "config": { "header_name": "X-Key", "header_value": "{{context.token}}" } }),
                vec!["token"],
            ),
            (
                json!({ "format": "header", "config": { "header_name": "X-Key", "header_value": "{{credentials.token}}.{{credentials.token}}" } }),
                vec!["token"],
            ),
            (json!({ "format": "basic", "config": { "username": "{{credentials.z_user}}" } }), vec!["z_user"]),
            (
                json!({ "format": "basic", "config": { "username": "{{credentials.z_user}}", "password": "{{credentials.token}}" } }),
                vec!["z_user", "token"],
            ),
        ] {
            let provider = provider(&names, &authorization).await;
            let found = provider.authorizing_fields(AuthenticationMethod::ApiKey);
            assert_eq!(found.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), blamed, "{authorization}");
        }
    }

    #[tokio::test]
    async fn several_secrets_are_refused_and_listed() {
        let names = ["password", "username"];
        let both = json!({ "format": "basic", "config": {
            "username": "{{credentials.username}}", "password": "{{credentials.password}}",
        } });
        let provider = provider(&names, &both).await;
        for provider in [Some(&*provider), None] {
            let refused = choose(provider, &names, None).expect_err("several");
            assert!(
                refused.starts_with("several_credentials: ") && refused.contains("password, username"),
                "{refused}"
            );
            assert_eq!(choose(provider, &names, Some("username")), Ok(Some("username".into())));
        }
    }

    #[test]
    fn a_single_secret_needs_no_choice() {
        assert_eq!(choose(None, &["api_key"], None), Ok(Some("api_key".into())));
        assert_eq!(choose(None, &[], None), Ok(None));
    }
}
