//! The addresses at which a request can reach Relink.

use axum::{extract::Request, http::HeaderValue};

use crate::{ApiState, listener::Entrance, second_listener, server::Arrival};

/// Where a request reached Relink, if not at the API's own address: there it gets the connect UI alone. A request has it as an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReachedAt {
    SecondListener,
    /// This origin, in front of which is a tunnel or a reverse proxy.
    PublicAddress(String),
}

impl ReachedAt {
    pub(crate) fn of(api: &ApiState, request: &Request, arrival: &Arrival) -> Option<Self> {
        match arrival.entrance {
            Entrance::Socket => None,
            Entrance::SecondListener => Some(Self::SecondListener),
            Entrance::Port => {
                let settings = api.link_settings.borrow();
                let address = settings.public_address.as_ref()?;
                let host = request.headers().get("host").map(HeaderValue::as_bytes);
                (host == Some(host_of(address).as_bytes())).then(|| Self::PublicAddress(address.clone()))
            }
        }
    }

    /// The base URL, without a trailing slash.
    pub(crate) fn base_url(&self) -> &str {
        match self {
            Self::SecondListener => second_listener::ORIGIN,
            Self::PublicAddress(address) => address,
        }
    }
}

/// The host of a base URL, with its port.
pub(crate) fn host_of(base_url: &str) -> &str {
    base_url.split_once("://").map_or("", |(_, host)| host)
}
