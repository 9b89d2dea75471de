//! Revocation of an account's tokens at the provider (RFC 7009).

use relink_domain::Secret;

use super::{ACCESS_TOKEN, Provider, REFRESH_TOKEN};
use crate::{keychain::Item, outbound::Outbound};

/// Requests the revocation of an account's tokens. `None` if the integration has no revocation endpoint or the account
/// no token; otherwise whether the provider accepted it.
pub(crate) async fn revoke(
    outbound: &Outbound,
    provider: &Provider,
    client_secret: Option<Secret>,
    item: &Item,
) -> Option<bool> {
    let url = provider.definition.oauth2()?.revocation_url.as_ref()?;
    let (token, hint) = match (item.secrets.get(REFRESH_TOKEN), item.secrets.get(ACCESS_TOKEN)) {
        (Some(refresh), _) => (refresh, "refresh_token"),
        (None, Some(access)) => (access, "access_token"),
        (None, None) => return None,
    };
    let endpoint = provider.token_endpoint(client_secret).ok()?;
    Some(endpoint.revoke(outbound, url.as_url(), token, hint).await.unwrap_or(false))
}
