//! Selects the redirect URI of an authorization request.

use relink_domain::integration::RedirectKind;

use super::Connections;
use crate::error::{Error, Result};

impl Connections {
    /// The kinds of redirect URI that work here, best first.
    pub(crate) fn redirects(&self) -> Vec<RedirectKind> {
        if self.0.uses.takes_deep_links {
            vec![RedirectKind::DeepLink, RedirectKind::Loopback]
        } else {
            vec![RedirectKind::Loopback]
        }
    }

    /// The kind of redirect URI to use: `wanted`, or the best of the `allowed` kinds that works here.
    pub(super) fn redirect_for(
        &self,
        allowed: &[RedirectKind],
        wanted: Option<RedirectKind>,
        label: &str,
    ) -> Result<RedirectKind> {
        match wanted {
            Some(wanted) if allowed.contains(&wanted) => Ok(wanted),
            Some(_) => {
                Err(Error::invalid("redirect_not_allowed", format!("{label} doesn't support this redirect type.")))
            }
            // A provider that allows only the deep link works even without a handler for it: the URL can be pasted.
            None => {
                let works = self.redirects().into_iter().find(|kind| allowed.contains(kind));
                Ok(works.or_else(|| allowed.first().copied()).unwrap_or(RedirectKind::Loopback))
            }
        }
    }
}
