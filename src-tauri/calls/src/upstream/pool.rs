//! Connections that are used for one call after another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, Response, header::HOST, uri::PathAndQuery};
use hyper::client::conn::http2;
use tokio::runtime::Handle;
use url::{Position, Url};

use super::{
    SendError,
    connect::Connector,
    http1::{self, Failed},
    origin::{Checkout, Connection, Origin},
    outgoing::{Outgoing, RequestSent},
    provider_body::ProviderBody,
};

/// The connections to all origins, for one kind of addresses.
pub(super) struct Pool {
    connector: Connector,
    /// Drives the connections that calls on all threads share.
    runtime: Handle,
    /// By what their URLs begin with.
    origins: Mutex<HashMap<Box<str>, Arc<Origin>>>,
}

impl Pool {
    pub(super) fn new(connector: Connector, runtime: Handle) -> Self {
        Self { connector, runtime, origins: Mutex::default() }
    }

    /// Sends a request below a URL over a connection that is kept, or over a new one. A request of which nothing was sent, because the provider has
    /// closed the kept connection meanwhile, is sent over another one.
    pub(super) async fn send(
        &self,
        mut request: Request<Outgoing>,
        mut sent: RequestSent,
        base: &Url,
    ) -> Result<Response<ProviderBody>, SendError> {
        let uri = request.uri().clone();
        let origin = self.origin(base)?;
        loop {
            let Checkout { connection, is_reused } = match origin.take() {
                Some(kept) => kept,
                None => Box::pin(origin.new_connection(self.connector.connect(uri.clone()))).await?,
            };
            let outcome = match connection {
                Connection::Http1(connection) => over_http1(connection, &origin, request, &mut sent).await,
                Connection::Http2(sender) => Box::pin(over_http2(sender, request, &mut sent)).await,
            };
            request = match outcome {
                Ok(response) => return Ok(response),
                Err(Failed::Unsent(request, _)) if is_reused => *request,
                Err(Failed::Unsent(_, error)) => return Err(SendError::Broken(error)),
                Err(Failed::Other(error)) => return Err(error),
            };
            *request.uri_mut() = uri.clone();
        }
    }

    fn origin(&self, base: &Url) -> Result<Arc<Origin>, SendError> {
        let begins_with = &base[..Position::BeforePath];
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin) = origins.get(begins_with) {
            return Ok(Arc::clone(origin));
        }
        origins.retain(|_, origin| Arc::strong_count(origin) > 1 || !origin.is_empty());
        let origin = Arc::new(Origin::new(base, self.runtime.clone())?);
        origins.insert(begins_with.into(), Arc::clone(&origin));
        Ok(origin)
    }
}

async fn over_http1(
    mut connection: Box<http1::Connection>,
    origin: &Arc<Origin>,
    mut request: Request<Outgoing>,
    sent: &mut RequestSent,
) -> Result<Response<ProviderBody>, Failed> {
    for_http1(&mut request, || origin.host.clone());
    let response = connection.send(request, sent).await?;
    // The caller may send all of its body before it reads.
    if !sent.is_complete() {
        connection.go_on_in_task();
        return Ok(response.map(ProviderBody::new));
    }
    Ok(response.map(|incoming| ProviderBody::on(connection, Arc::clone(origin), incoming)))
}

async fn over_http2(
    mut sender: http2::SendRequest<Outgoing>,
    request: Request<Outgoing>,
    sent: &mut RequestSent,
) -> Result<Response<ProviderBody>, Failed> {
    tokio::select! {
        answered = sender.try_send_request(request) => Ok(answered.map_err(http1::failed)?.map(ProviderBody::new)),
        () = sent.until_too_late() => Err(Failed::Other(SendError::TooLate)),
    }
}

/// Names the server in a header, and in the first line only what follows it (RFC 9112 §3.2). HTTP/2 has both in fields of its own.
pub(super) fn for_http1(request: &mut Request<Outgoing>, host: impl FnOnce() -> http::HeaderValue) {
    request.headers_mut().entry(HOST).or_insert_with(host);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
}
