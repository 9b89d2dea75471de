//! Origins that credentials are bound to.
//!
//! **Invariant:** a credential is sent only to the origins that were in force when it was given. [`Origins::moved_to`] is the
//! one comparison; `Account::apply` and the engine's `BoundProvider` use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Scheme, host and port (RFC 6454 §6.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(String);

impl Origin {
    pub(crate) fn of(url: &Url) -> Self {
        Self(url.origin().ascii_serialization())
    }

    /// What stands for an origin that depends on an account: as written, with its placeholders. It equals no other origin.
    pub(crate) const fn unresolved(text: String) -> Self {
        Self(text)
    }

    /// `https://api.github.com`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Several, as one. `None`: there are none.
    pub(crate) fn several(origins: impl Iterator<Item = Self>) -> Option<Self> {
        let distinct: BTreeSet<String> = origins.map(|origin| origin.0).collect();
        (!distinct.is_empty()).then(|| Self(Vec::from_iter(distinct).join(" ")))
    }

    fn is_loopback(&self) -> bool {
        match Url::parse(&self.0).ok().as_ref().and_then(Url::host) {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an address of a provider is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// The person signs in there. Relink sends it no credential, but the person does.
    Authorization,
    /// Gets codes, PKCE verifiers and client secrets.
    Token,
    /// Gets refresh tokens and client secrets.
    Refresh,
    /// Gets tokens and client secrets.
    Revocation,
    /// Gets access tokens and API keys.
    Api,
    /// Further addresses of the API, which single methods name: they get the same. Several origins stand with a space between
    /// them.
    Methods,
}

impl AddressKind {
    /// What a person calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorization => "sign-in address",
            Self::Token => "token address",
            Self::Refresh => "refresh address",
            Self::Revocation => "revocation address",
            Self::Api => "API address",
            Self::Methods => "addresses of methods",
        }
    }

    /// The address that gets the same secrets, so that this one may be added at the same origin.
    const fn may_be_added_beside(self) -> Option<Self> {
        match self {
            Self::Refresh | Self::Revocation => Some(Self::Token),
            Self::Authorization | Self::Token | Self::Api | Self::Methods => None,
        }
    }
}

/// The origins of a provider's addresses, resolved for one account. Without any, a credential may be sent nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origins(BTreeMap<AddressKind, Origin>);

impl FromIterator<(AddressKind, Origin)> for Origins {
    fn from_iter<I: IntoIterator<Item = (AddressKind, Origin)>>(origins: I) -> Self {
        Self(origins.into_iter().collect())
    }
}

impl Origins {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that a client secret may be sent to.
    #[must_use]
    pub fn of_client(mut self) -> Self {
        self.0.retain(|kind, _| matches!(kind, AddressKind::Token | AddressKind::Refresh | AddressKind::Revocation));
        self
    }

    /// The same with every loopback origin without its port. Only for the built-in Sandbox, whose port Relink sets itself at
    /// each start.
    #[must_use]
    pub fn without_loopback_ports(mut self) -> Self {
        for origin in self.0.values_mut().filter(|origin| origin.is_loopback()) {
            *origin = Origin("http://127.0.0.1".to_owned());
        }
        self
    }

    /// Those that an account can't do without. What a method names for itself is checked when it is called
    /// ([`Self::allows_method_at`]), so that a new one leaves the others usable.
    fn single(&self) -> impl Iterator<Item = (&AddressKind, &Origin)> {
        self.0.iter().filter(|(kind, _)| **kind != AddressKind::Methods)
    }

    /// Whether a method that names this origin for itself may send a credential that is bound to these origins.
    pub fn allows_method_at(&self, origin: &Origin) -> bool {
        let further = self.0.get(&AddressKind::Methods).into_iter().flat_map(|several| several.0.split(' '));
        self.0.get(&AddressKind::Api) == Some(origin) || further.into_iter().any(|one| one == origin.0)
    }

    /// The first address in `current` that credentials bound to these origins may not be sent to. Credentials that are bound
    /// to an `accepted` origin may follow.
    pub fn moved_to(&self, current: &Self, accepted: &[Origin]) -> Option<MovedAddress> {
        current.single().find_map(|(kind, to)| {
            let from = self.0.get(kind);
            let beside = || self.0.get(&kind.may_be_added_beside()?);
            let allowed = from.or_else(beside);
            let may_be_sent = allowed.is_some_and(|allowed| allowed == to || accepted.contains(allowed));
            (!may_be_sent).then(|| MovedAddress { address: *kind, from: from.cloned(), to: to.clone() })
        })
    }

    /// The first address that has another origin in `current`.
    pub(crate) fn difference(&self, current: &Self) -> Option<MovedAddress> {
        current.single().find_map(|(kind, to)| {
            let from = self.0.get(kind).filter(|from| *from != to)?;
            Some(MovedAddress { address: *kind, from: Some(from.clone()), to: to.clone() })
        })
    }
}

/// An address that isn't at the origin any more that credentials were given for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedAddress {
    pub address: AddressKind,
    /// `None`: there was no such address.
    pub from: Option<Origin>,
    pub to: Origin,
}

impl MovedAddress {
    /// What happened, on one line.
    pub fn title(&self, provider: &str) -> String {
        format!("{provider}'s {} changed", self.address.name())
    }

    /// From what to what.
    pub fn change(&self) -> String {
        match &self.from {
            Some(from) => format!("from {from} to {}", self.to),
            None => format!("to {}", self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressKind::*, *};

    fn origins(of: &[(AddressKind, &str)]) -> Origins {
        of.iter().map(|(kind, url)| (*kind, Origin::of(&Url::parse(url).expect("a URL")))).collect()
    }

    fn acme() -> Vec<(AddressKind, &'static str)> {
        vec![
            (Authorization, "https://login.acme.example"),
            (Token, "https://auth.acme.example"),
            (Refresh, "https://auth.acme.example"),
            (Revocation, "https://auth.acme.example"),
            (Api, "https://api.acme.example"),
        ]
    }

    #[test]
    fn a_change_of_each_single_address_is_found() {
        let bound = origins(&acme());
        assert_eq!(bound.moved_to(&bound, &[]), None);
        for at in 0..acme().len() {
            for evil in [
                "https://evil.example",
                "http://auth.acme.example",
                "https://auth.acme.example:8443",
                "https://auth.acme.example.evil.example",
            ] {
                let mut changed = acme();
                changed[at].1 = evil;
                let moved = bound.moved_to(&origins(&changed), &[]).expect(evil);
                assert_eq!((moved.address, moved.to.as_str()), (acme()[at].0, evil));
                assert_eq!(moved.from.as_ref().map(Origin::as_str), Some(acme()[at].1));
            }
        }
    }

    #[test]
    fn the_same_origin_in_another_place_is_a_change() {
        let mut changed = acme();
        (changed[1].1, changed[4].1) = (changed[4].1, changed[1].1);
        assert_eq!(origins(&acme()).moved_to(&origins(&changed), &[]).map(|moved| moved.address), Some(Token));
    }

    #[test]
    fn an_address_may_go_and_be_added_where_the_same_secrets_go_already() {
        let without: Vec<_> = acme().into_iter().filter(|(kind, _)| *kind != Revocation).collect();
        assert_eq!(origins(&acme()).moved_to(&origins(&without), &[]), None);
        assert_eq!(origins(&without).moved_to(&origins(&acme()), &[]), None);
        for (kind, url) in [(Revocation, "https://api.acme.example"), (Authorization, "https://auth.acme.example")] {
            let bound: Vec<_> = acme().into_iter().filter(|(other, _)| *other != kind).collect();
            let mut added = bound.clone();
            added.push((kind, url));
            let moved = origins(&bound).moved_to(&origins(&added), &[]).expect(url);
            assert_eq!((moved.address, moved.from), (kind, None));
        }
    }

    #[test]
    fn what_is_bound_to_nothing_may_be_sent_nowhere() {
        assert_eq!(Origins::default().moved_to(&origins(&acme()), &[]).map(|it| it.address), Some(Authorization));
    }

    #[test]
    fn a_further_address_of_a_method_is_checked_by_itself() {
        let at = |url: &str| Origin::of(&Url::parse(url).expect("a URL"));
        let several = Origin::several([at("https://up.acme.example"), at("https://files.acme.example")].into_iter());
        let mut bound = origins(&acme());
        assert!(!bound.allows_method_at(&at("https://up.acme.example")));
        bound.0.insert(Methods, several.expect("two"));
        for (url, is_allowed) in [
            ("https://api.acme.example", true),
            ("https://up.acme.example", true),
            ("https://files.acme.example", true),
            ("https://auth.acme.example", false),
            ("https://acme.example", false),
            ("https://up.acme.example:8443", false),
        ] {
            assert_eq!(bound.allows_method_at(&at(url)), is_allowed, "{url}");
        }
        assert_eq!(origins(&acme()).moved_to(&bound, &[]), None);
        assert_eq!(origins(&acme()).difference(&bound), None);
        assert_eq!(Origin::several(std::iter::empty()), None);
    }

    #[test]
    fn only_an_accepted_origin_may_be_left() {
        let (bound, mut changed) = (origins(&acme()), acme());
        changed[4].1 = "https://api.acme.dev";
        let accepted = |url: &str| [Origin::of(&Url::parse(url).expect("a URL"))];
        assert_eq!(bound.moved_to(&origins(&changed), &accepted("https://api.acme.example")), None);
        for other in ["https://api.acme.dev", "https://auth.acme.example", "https://acme.example"] {
            assert!(bound.moved_to(&origins(&changed), &accepted(other)).is_some(), "{other}");
        }
    }

    #[test]
    fn only_a_loopback_address_has_no_port_of_its_own() {
        let at = |url: &str| origins(&[(Api, url)]).without_loopback_ports();
        assert_eq!(at("http://127.0.0.1:7418"), at("http://127.0.0.1:9999"));
        for other in ["http://localhost:7418", "http://192.168.0.1:7418", "https://evil.example:7418"] {
            assert!(at("http://127.0.0.1:7418").moved_to(&at(other), &[]).is_some(), "{other}");
        }
    }
}
