//! Revocation of an account's tokens at the provider (RFC 7009).

use relink_domain::{Secret, account::AuthenticationMethod};

use super::{ACCESS_TOKEN, AccountValues, BoundProvider, Provider, REFRESH_TOKEN};
use serde_json::{Map, Value};

use crate::{keychain::Item, outbound::Outbound};

/// What became of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// The integration has no revocation endpoint, or the account no token.
    NotOffered,
    Accepted,
    Refused,
    /// The provider couldn't be reached, or has problems.
    Unreachable,
}

impl Provider {
    /// Whether an account's tokens can be revoked.
    pub(crate) fn offers_revocation(&self, method: AuthenticationMethod) -> bool {
        method == AuthenticationMethod::Oauth2
            && self.definition.oauth2().is_some_and(|oauth2| oauth2.revocation_url.is_some())
    }
}

/// Requests the revocation of an account's tokens.
pub(crate) async fn revoke(
    outbound: &Outbound,
    provider: &BoundProvider,
    client_secret: Option<Secret>,
    item: &Item,
    context: &Map<String, Value>,
) -> Revoked {
    let address = provider.definition.oauth2().and_then(|oauth2| oauth2.revocation_url.as_ref());
    let url = address.and_then(|address| address.resolve(context).ok());
    let values = AccountValues::of(context, &item.secrets);
    let (Some(url), Ok(endpoint)) = (url, provider.token_endpoint(client_secret, &values)) else {
        return Revoked::NotOffered;
    };
    let (token, hint) = match (item.secrets.get(REFRESH_TOKEN), item.secrets.get(ACCESS_TOKEN)) {
        (Some(refresh), _) => (refresh, "refresh_token"),
        (None, Some(access)) => (access, "access_token"),
        (None, None) => return Revoked::NotOffered,
    };
    match endpoint.revoke(outbound, url.as_url(), token, hint).await {
        Ok(status) if status.is_success() => Revoked::Accepted,
        Ok(status) if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS => Revoked::Unreachable,
        Ok(_) => Revoked::Refused,
        Err(_) => Revoked::Unreachable,
    }
}
