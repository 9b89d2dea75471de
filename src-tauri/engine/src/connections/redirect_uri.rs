//! By which redirect URI the browser comes back from a provider.

use relink_domain::integration::RedirectKind;

use super::Connections;
use crate::error::{Error, Result};

impl Connections {
    /// The ways back that work here, best first.
    pub(crate) fn redirects(&self) -> Vec<RedirectKind> {
        if self.0.uses.takes_deep_links {
            vec![RedirectKind::DeepLink, RedirectKind::Loopback]
        } else {
            vec![RedirectKind::Loopback]
        }
    }

    /// How the browser comes back: as `wanted`, or the best of the `allowed` ways that works here.
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
            // A provider that allows only the deep link still works without its handler: the address can be pasted.
            None => {
                let works = self.redirects().into_iter().find(|kind| allowed.contains(kind));
                Ok(works.or_else(|| allowed.first().copied()).unwrap_or(RedirectKind::Loopback))
            }
        }
    }
}
