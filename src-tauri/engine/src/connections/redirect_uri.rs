//! Selects the redirect URI of an authorization request.

use relink_domain::{callback, integration::RedirectKind};

use super::{Connections, openings::OpenedIn};
use crate::{
    error::{Error, Result},
    provider::Provider,
};

impl Connections {
    /// The kinds of redirect URI that work here, best first.
    pub(crate) fn redirects(&self) -> Vec<RedirectKind> {
        let kinds = [
            (RedirectKind::DeepLink, self.0.uses.takes_deep_links),
            (RedirectKind::Loopback, !self.0.uses.address.is_taken()),
        ];
        kinds.into_iter().filter_map(|(kind, works)| works.then_some(kind)).collect()
    }

    /// The kinds that work for a page that was opened there.
    pub(super) fn redirects_in(&self, opened_in: Option<OpenedIn>) -> Vec<RedirectKind> {
        match opened_in {
            // A deep link would reach an app on the browser's machine.
            Some(OpenedIn::PublicAddress) => vec![RedirectKind::Loopback],
            Some(OpenedIn::Window | OpenedIn::Browser) | None => self.redirects(),
        }
    }

    /// The redirect URI of a page that was opened at the public address.
    pub(super) fn public_redirect_uri(&self, allowed: &[RedirectKind], provider: &Provider) -> Result<String> {
        let label = provider.label();
        if !allowed.contains(&RedirectKind::Loopback) {
            let message = format!(
                "{label} returns only to the Relink app itself, so this sign-in works only on the machine that Relink runs on."
            );
            return Err(Error::conflict("redirect_not_allowed", message));
        }
        let Some(address) = self.link_settings_now().public_address else {
            let message = "The public address was switched off in Relink's settings. Ask for a new link.";
            return Err(Error::conflict("public_address_off", message));
        };
        Ok(callback::public_uri(&address, provider.definition.name()))
    }

    /// The kind of redirect URI to use: `wanted`, or the best of the `allowed` kinds that works here. Never the loopback one while
    /// another program has the API's port: it would receive the authorization code.
    pub(super) fn redirect_for(
        &self,
        allowed: &[RedirectKind],
        wanted: Option<RedirectKind>,
        label: &str,
    ) -> Result<RedirectKind> {
        let kind = match wanted {
            Some(wanted) if allowed.contains(&wanted) => Ok(wanted),
            Some(_) => {
                Err(Error::invalid("redirect_not_allowed", format!("{label} doesn't support this redirect type.")))
            }
            // A provider that allows only the deep link works even without a handler for it: the URL can be pasted.
            None => {
                let works = self.redirects().into_iter().find(|kind| allowed.contains(kind));
                Ok(works.or_else(|| allowed.first().copied()).unwrap_or(RedirectKind::Loopback))
            }
        }?;
        if kind == RedirectKind::Loopback && self.0.uses.address.is_taken() {
            let port = self.0.uses.address.port()?;
            let message = format!(
                "Another program uses port {port}, so {label} can't return to Relink. Choose another port in Settings."
            );
            return Err(Error::conflict("port_taken", message));
        }
        Ok(kind)
    }
}
