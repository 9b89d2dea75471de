//! Connections of programs that change to another protocol: a WebSocket between a program and a provider.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header::UPGRADE, request::Parts},
    response::Response,
};
use hyper::upgrade::OnUpgrade;
use relink_domain::{
    AccountId,
    caller::Caller,
    failure::{Cause, Failure},
};
use relink_engine::Error;

use crate::{ApiState, error::ApiError, limits::Connection, server::Arrival, withdrawn::withdrawn};

/// The program's side of a WebSocket that it has asked for.
pub(crate) struct Upgrade {
    client: OnUpgrade,
    /// Counts for the client as long as it is open.
    connection: Option<Connection>,
}

impl Upgrade {
    /// Whether a request asks for one, on a connection that can change.
    pub(crate) fn is_asked_for_by(request: &Request) -> bool {
        asks(request.method(), request.headers()) && request.extensions().get::<OnUpgrade>().is_some()
    }

    /// `None` for a request that asks for none, or that can't change its connection. It goes on as an ordinary one.
    pub(crate) fn asked_for_by(parts: &mut Parts) -> Option<Self> {
        let client = parts.extensions.remove::<OnUpgrade>();
        let Some(client) = client.filter(|_| asks(&parts.method, &parts.headers)) else {
            parts.headers.remove(UPGRADE);
            return None;
        };
        Some(Self { client, connection: parts.extensions.get::<Arrival>().map(|arrival| arrival.connection.clone()) })
    }

    /// Joins both sides if the provider has agreed. A provider that changes the protocol unasked has not answered the call.
    pub(crate) fn join(
        upgrade: Option<Self>,
        api: &ApiState,
        caller: &Caller,
        account: AccountId,
        mut response: Response,
    ) -> Result<Response, ApiError> {
        let provider = response.extensions_mut().remove::<OnUpgrade>();
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let (Some(Self { client, connection }), Some(provider)) = (upgrade, provider) else {
            return Err(Error::provider(Failure::new(Cause::Garbled), "The provider", None).into());
        };
        let (api, caller) = (api.clone(), caller.clone());
        tokio::spawn(async move {
            let ended = async {
                let why = withdrawn(api, caller, account).await;
                tracing::info!(%account, "a WebSocket was closed: {why}");
            };
            relink_calls::tunnel(client, provider, ended).await;
            drop(connection);
        });
        Ok(response.map(|_| Body::empty()))
    }
}

fn asks(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET && relink_calls::asks_for_websocket(headers)
}
