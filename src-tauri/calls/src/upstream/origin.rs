//! The connections to one origin.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use http::HeaderValue;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use tokio::{runtime::Handle, sync::Notify, time::Instant};
use tokio_util::task::AbortOnDropHandle;
use url::{Position, Url};

use super::{SendError, connect::Connected, http1, outgoing::Outgoing};

/// How long a connection without a call is kept.
const IDLE: Duration = Duration::from_secs(90);
/// How long only the runtime that watches a free connection uses it. For another one a thread has to be woken each time the provider sends
/// something: if there are many calls, it is better off with a connection of its own.
const OWN_RUNTIME_ONLY: Duration = Duration::from_secs(1);
/// How often those that are kept are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// Connections kept for each origin.
const MAX_IDLE: usize = 64;

/// A scheme, host and port, and the connections there.
pub(super) struct Origin {
    /// For requests over HTTP/1.1.
    pub(super) host: HeaderValue,
    is_encrypted: bool,
    /// Drives the connections that calls on all threads share, and drops what is kept no longer.
    runtime: Handle,
    kept: Mutex<KeptConnections>,
    /// Notifies all that wait when a connection of HTTP/1.1 is free again: only some may be able to use it.
    freed: Notify,
    /// Held by the one call that connects to an origin that speaks HTTP/2, while others wait to share its connection.
    connecting: tokio::sync::Mutex<()>,
}

/// The connections that a call can use.
#[derive(Default)]
struct KeptConnections {
    /// Without a call. The last one has been used most recently.
    idle: Vec<Idle>,
    /// Used by all calls at the same time.
    shared: Option<Shared>,
    /// What the last connection spoke. `None`: there was none, or another one of HTTP/2 couldn't be made.
    version: Option<Version>,
    /// Whether a task looks for connections that are kept no longer.
    is_swept: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

struct Idle {
    connection: Box<http1::Connection>,
    since: Instant,
}

struct Shared {
    sender: http2::SendRequest<Outgoing>,
    last_used: Instant,
}

/// A connection for one call.
pub(super) enum Connection {
    Http1(Box<http1::Connection>),
    Http2(http2::SendRequest<Outgoing>),
}

/// A connection, and whether an earlier call has used it.
pub(super) struct Checkout {
    pub(super) connection: Connection,
    pub(super) is_reused: bool,
}

impl Origin {
    /// The one of this URL. Connections that several threads share are driven on `runtime`.
    pub(super) fn new(url: &Url, runtime: Handle) -> Result<Self, SendError> {
        let (host, is_encrypted) = (host(url)?, url.scheme() == "https");
        let (kept, freed, connecting) = (Mutex::default(), Notify::new(), tokio::sync::Mutex::default());
        Ok(Self { host, is_encrypted, runtime, kept, freed, connecting })
    }

    /// A new connection, or one that another call gives back or makes meanwhile.
    pub(super) async fn new_connection(
        self: &Arc<Self>,
        connect: impl Future<Output = Result<Connected, SendError>> + Send + 'static,
    ) -> Result<Checkout, SendError> {
        if self.kept().version != Some(Version::Http2) {
            return self.connect_unless_freed(connect).await;
        }
        let turn = self.connecting.lock().await;
        if let Some(checkout) = self.take() {
            return Ok(checkout);
        }
        // If it can't be reached, those that have waited try at the same time, so that none waits for each of the others.
        let _turn = (self.kept().version == Some(Version::Http2)).then_some(turn);
        let unreached = Unreached(self);
        let connected = self.connect(connect).await;
        if connected.is_ok() {
            std::mem::forget(unreached);
        }
        connected
    }

    /// What is connected to is closed if it isn't needed.
    async fn connect_unless_freed(
        self: &Arc<Self>,
        connect: impl Future<Output = Result<Connected, SendError>> + Send + 'static,
    ) -> Result<Checkout, SendError> {
        let mut connecting = pin!(self.connect(connect));
        loop {
            let mut freed = pin!(self.freed.notified());
            // What becomes free from here on isn't missed.
            freed.as_mut().enable();
            if let Some(checkout) = self.take() {
                return Ok(checkout);
            }
            tokio::select! {
                connected = &mut connecting => return connected.or_else(|error| self.take_any().ok_or(error)),
                () = freed => {}
                // Others' connections may be used by now.
                () = tokio::time::sleep(OWN_RUNTIME_ONLY) => {}
            }
        }
    }

    /// Connects on the runtime for shared connections, unless each call will have a connection of its own.
    async fn connect(
        self: &Arc<Self>,
        connect: impl Future<Output = Result<Connected, SendError>> + Send + 'static,
    ) -> Result<Checkout, SendError> {
        // Windows and macOS may ask on the network whether a certificate was revoked, and the thread waits.
        let blocks = self.is_encrypted && cfg!(any(windows, target_os = "macos"));
        let may_be_shared = match self.kept().version {
            Some(version) => version == Version::Http2,
            // Both sides choose during the TLS handshake.
            None => self.is_encrypted,
        };
        let opening = Arc::clone(self).open(connect);
        if !may_be_shared && !blocks {
            return opening.await;
        }
        let opened = AbortOnDropHandle::new(self.runtime.spawn(opening)).await;
        opened.unwrap_or_else(|ended| Err(SendError::NotConnected(ended.into())))
    }

    async fn open(
        self: Arc<Self>,
        connect: impl Future<Output = Result<Connected, SendError>> + Send,
    ) -> Result<Checkout, SendError> {
        let Connected { stream, speaks_http2 } = connect.await?;
        self.kept().version = Some(if speaks_http2 { Version::Http2 } else { Version::Http1 });
        let connection = if speaks_http2 {
            let (sender, driver) = http2::handshake(TokioExecutor::new(), stream).await.map_err(SendError::Broken)?;
            tokio::spawn(driver);
            // A server that has spoken HTTP/1.1 until now: the next connection is made where it can be shared.
            if http1::current_runtime() == Some(self.runtime.id()) {
                self.share(sender.clone());
            }
            Connection::Http2(sender)
        } else {
            Connection::Http1(http1::Connection::new(stream).await?)
        };
        Ok(Checkout { connection, is_reused: false })
    }

    /// A connection that is kept, if possible one that the current runtime watches.
    pub(super) fn take(&self) -> Option<Checkout> {
        let (now, runtime) = (Instant::now(), http1::current_runtime());
        let mut kept = self.kept();
        if let Some(shared) = kept.shared.as_mut().filter(|shared| shared.is_usable(now)) {
            shared.last_used = now;
            return Some(Checkout { connection: Connection::Http2(shared.sender.clone()), is_reused: true });
        }
        let is_own = |idle: &Idle| idle.connection.runtime == runtime && now - idle.since <= IDLE;
        let is_for_all = |idle: &Idle| {
            let is_kept_for_own =
                now - idle.since < OWN_RUNTIME_ONLY && idle.connection.runtime != Some(self.runtime.id());
            !is_kept_for_own && now - idle.since <= IDLE
        };
        let chosen = kept.idle.iter().rposition(is_own).or_else(|| kept.idle.iter().rposition(is_for_all))?;
        let connection = kept.idle.remove(chosen).connection;
        Some(Checkout { connection: Connection::Http1(connection), is_reused: true })
    }

    /// A connection of HTTP/1.1, whichever runtime watches it.
    fn take_any(&self) -> Option<Checkout> {
        let Idle { connection, since } = self.kept().idle.pop()?;
        (since.elapsed() <= IDLE).then_some(Checkout { connection: Connection::Http1(connection), is_reused: true })
    }

    /// Keeps an HTTP/1.1 connection for another call, if it can be used again.
    pub(super) fn keep(self: &Arc<Self>, mut connection: Box<http1::Connection>) {
        if !connection.is_idle() {
            return;
        }
        let mut kept = self.kept();
        // If they are too many, the one that wasn't used for longest goes: it may be one that few calls can use.
        let one_too_many = if kept.idle.len() < MAX_IDLE { None } else { Some(kept.idle.remove(0)) };
        kept.idle.push(Idle { connection, since: Instant::now() });
        self.sweep_later(&mut kept);
        drop(kept);
        drop(one_too_many);
        self.freed.notify_waiters();
    }

    /// Lets other calls use an HTTP/2 connection, unless they have one that was made at the same time.
    fn share(self: &Arc<Self>, sender: http2::SendRequest<Outgoing>) {
        let now = Instant::now();
        let mut kept = self.kept();
        if !kept.shared.as_ref().is_some_and(|shared| shared.is_usable(now)) {
            kept.shared = Some(Shared { sender, last_used: now });
            self.sweep_later(&mut kept);
        }
    }

    /// Whether it has no connection. Then it may be forgotten when no call uses it.
    pub(super) fn is_empty(&self) -> bool {
        let kept = self.kept();
        kept.idle.is_empty() && kept.shared.is_none()
    }

    /// Starts the task that drops what is kept no longer. It runs only as long as something is kept.
    fn sweep_later(self: &Arc<Self>, kept: &mut KeptConnections) {
        if !std::mem::replace(&mut kept.is_swept, true) {
            self.runtime.spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Drops the connections that are too old, or that the provider has closed. Returns whether some are left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut kept = self.kept();
        let is_over = |idle: &mut Idle| now - idle.since > IDLE || !idle.connection.is_idle();
        let over: Vec<_> = kept.idle.extract_if(.., is_over).collect();
        let unshared = kept.shared.take_if(|shared| !shared.is_usable(now));
        kept.is_swept = !kept.idle.is_empty() || kept.shared.is_some();
        let is_left = kept.is_swept;
        drop(kept);
        // Closing them doesn't hold up other calls.
        drop((over, unshared));
        is_left
    }

    fn kept(&self) -> MutexGuard<'_, KeptConnections> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of `Host` for a URL: the port only if it isn't the scheme's usual one (RFC 9110 §7.2), which a URL leaves out.
pub(super) fn host(url: &Url) -> Result<HeaderValue, SendError> {
    HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
        .map_err(|error| SendError::NotConnected(error.into()))
}

/// A call connects to an origin that has spoken HTTP/2. When this is dropped, it has not: it failed, or its caller left.
struct Unreached<'o>(&'o Origin);

impl Drop for Unreached<'_> {
    fn drop(&mut self) {
        self.0.kept().version = None;
    }
}

impl Shared {
    fn is_usable(&self, now: Instant) -> bool {
        now - self.last_used <= IDLE && !self.sender.is_closed()
    }
}

async fn sweep(origin: Weak<Origin>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        if !origin.upgrade().is_some_and(|origin| origin.sweep()) {
            return;
        }
    }
}
