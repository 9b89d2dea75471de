//! Converts the form for a new integration into a definition.

use relink_contract::window::NewIntegration;
use relink_domain::integration::{Reach, RedirectKind, reach};
use serde_json::{Value, json};
use url::{Host, Url};

use crate::{Result, error::invalid_field};

/// The definition in Truto's `config` shape. It contains only whether there is a client secret.
pub(crate) fn definition(form: &NewIntegration, has_client_secret: bool) -> Result<Value> {
    let authorize = endpoint("authorize_url", &form.authorize_url)?;
    let token = endpoint("token_url", &form.token_url)?;
    let redirects = match form.redirect {
        None => vec![RedirectKind::DeepLink, RedirectKind::Loopback],
        Some(kind) => vec![kind],
    };
    let scopes: Vec<&str> = form.scopes.split_whitespace().collect();
    let client_secret = if has_client_secret { "required" } else { "optional" };
    Ok(json!({
        "name": form.name,
        "category": "own",
        "config": {
            "label": form.label,
            "base_url": form.base_url,
            "credentials": { "oauth2": { "format": "oauth2", "config": {
                "client": { "id": form.client_id, "secret": "" },
                "auth": {
                    "tokenHost": token.origin, "tokenPath": token.path,
                    "authorizeHost": authorize.origin, "authorizePath": authorize.path
                },
                "scope": scopes,
                "pkce": { "method": "S256" }
            } } },
            "authorization": { "oauth2": { "format": "bearer", "config": { "path": "oauth.token.access_token" } } },
            "relink": {
                "client_secret": client_secret,
                "redirects": redirects,
                // Entering an address of this machine or its network counts as consent.
                "allow_local": is_local(&form.base_url) || is_local(&form.token_url)
            }
        }
    }))
}

/// A URL, split into host and path as in Truto's shape.
struct Endpoint {
    origin: String,
    path: String,
}

fn endpoint(field: &str, text: &str) -> Result<Endpoint> {
    let url = Url::parse(text.trim())
        .map_err(|_| invalid_field(field, "This isn’t a valid URL. It must start with https://."))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid_field(field, "The URL must not contain ? or #."));
    }
    Ok(Endpoint { origin: url.origin().ascii_serialization(), path: url.path().to_owned() })
}

fn is_local(text: &str) -> bool {
    let Ok(url) = Url::parse(text.trim()) else { return false };
    match url.host() {
        Some(Host::Ipv4(address)) => reach(address.into()) == Reach::Local,
        Some(Host::Ipv6(address)) => reach(address.into()) == Reach::Local,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
