//! Which thread's calls use a connection.

use std::{
    future::pending,
    sync::Mutex,
    task::{Context, Waker},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use super::*;
use crate::upstream::SendError;

/// A thread's runtime, whose time goes on only while it waits.
fn new_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

/// An origin whose only connection is one of a thread's, and free.
fn with_free_connection(own: &Runtime, shared: &Runtime) -> (Server, Arc<Origin>) {
    own.block_on(async {
        let server = Server::start().await;
        let (origin, first) = in_use(&server.base, shared.handle().clone()).await;
        origin.keep(first);
        (server, origin)
    })
}

fn http1(connection: Connection) -> Box<http1::Connection> {
    let Connection::Http1(connection) = connection else { panic!("another version") };
    connection
}

#[test]
fn a_free_connection_is_left_to_its_own_thread_for_a_second() {
    let (own, other, shared) = (new_runtime(), new_runtime(), new_runtime());
    let (_server, origin) = with_free_connection(&own, &shared);
    assert!(other.block_on(async { origin.take() }).is_none(), "it was used just now");
    let again = own.block_on(async { origin.take() }).expect("here it can be used");
    own.block_on(async { origin.keep(http1(again.connection)) });
    assert!(other.block_on(async { origin.take() }).is_none(), "it was used just now");
    let spare = async {
        tokio::time::advance(Duration::from_millis(1100)).await;
        origin.take()
    };
    assert!(other.block_on(spare).is_some(), "nobody needs it there");
}

#[test]
fn a_connection_of_the_shared_runtime_is_for_all_at_once() {
    let (shared, other) = (new_runtime(), new_runtime());
    let (_server, origin) = with_free_connection(&shared, &shared);
    assert!(other.block_on(async { origin.take() }).is_some());
}

#[test]
fn a_connection_that_becomes_free_goes_to_a_call_that_can_use_it() {
    let (own, other, shared) = (new_runtime(), new_runtime(), new_runtime());
    let (_server, origin, in_use) = own.block_on(async {
        let server = Server::start().await;
        let (origin, in_use) = in_use(&server.base, shared.handle().clone()).await;
        (server, origin, in_use)
    });
    let mut elsewhere = Box::pin(origin.new_connection(pending()));
    other.block_on(async {
        assert!(elsewhere.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    });
    let found = own.block_on(async {
        let began = Instant::now();
        let waits = tokio::time::timeout(Duration::from_mins(1), origin.new_connection(pending()));
        let (found, ()) = tokio::join!(waits, async { origin.keep(in_use) });
        assert!(began.elapsed() < Duration::from_millis(500), "at once, although another call has waited for longer");
        found
    });
    let found = found.expect("in time").expect("a connection");
    own.block_on(async { origin.keep(http1(found.connection)) });
    let later = other.block_on(async { tokio::time::timeout(Duration::from_mins(1), elsewhere).await });
    assert!(later.expect("after a second").expect("a connection").is_reused);
}

#[test]
fn a_call_that_can_not_connect_uses_any_free_connection() {
    let (own, other, shared) = (new_runtime(), new_runtime(), new_runtime());
    let (_server, origin) = with_free_connection(&own, &shared);
    let found = other.block_on(origin.new_connection(async { Err(SendError::TooLate) }));
    assert!(found.expect("the other thread's").is_reused);
    let refused = other.block_on(origin.new_connection(async { Err(SendError::TooLate) }));
    assert!(matches!(refused, Err(SendError::TooLate)), "there is none any more");
}

/// An origin whose connections are made on one runtime or the other.
struct Places {
    own: Runtime,
    shared: Runtime,
    _server: Server,
    address: std::net::SocketAddr,
    origin: Arc<Origin>,
}

impl Places {
    fn new(scheme: &str) -> Self {
        let shared = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let own = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let server = own.block_on(Server::start());
        let base = server.base.as_str().replace("http", scheme).parse().expect("a URL");
        let origin = Arc::new(Origin::new(&base, shared.handle().clone()).expect("an origin"));
        let address = server.listener.local_addr().expect("bound");
        Self { own, shared, _server: server, address, origin }
    }

    /// Connects for a call on its own thread. Returns whether the shared runtime did that.
    fn connects_on_shared(&self, speaks_http2: bool) -> bool {
        let (address, runtime) = (self.address, Arc::<Mutex<_>>::default());
        let noted = Arc::clone(&runtime);
        let connect = async move {
            *noted.lock().expect("not poisoned") = Some(Handle::current().id());
            let stream = TcpStream::connect(address).await.expect("connected");
            Ok(Connected { stream: TokioIo::new(stream).into(), speaks_http2 })
        };
        let made = self.own.block_on(self.origin.new_connection(connect)).expect("a connection");
        assert!(!made.is_reused);
        let runtime = *runtime.lock().expect("not poisoned");
        runtime == Some(self.shared.handle().id())
    }
}

#[test]
fn what_several_threads_may_share_is_connected_on_the_runtime_for_that() {
    for (scheme, speaks_http2, is_shared) in [("http", false, false), ("https", false, true), ("https", true, true)] {
        let places = Places::new(scheme);
        assert_eq!(places.connects_on_shared(speaks_http2), is_shared, "{scheme}, HTTP/2: {speaks_http2}");
        assert_eq!(places.origin.take().is_some(), speaks_http2, "{scheme}, HTTP/2: {speaks_http2}");
        if !speaks_http2 {
            let blocks = cfg!(any(windows, target_os = "macos")) && scheme == "https";
            assert_eq!(places.connects_on_shared(false), blocks, "each call has a connection of its own");
        }
    }
}

#[test]
fn a_connection_that_turns_out_to_speak_http2_elsewhere_is_not_shared() {
    let places = Places::new("http");
    assert!(!places.connects_on_shared(false));
    assert!(!places.connects_on_shared(true), "until now it was HTTP/1.1");
    assert!(places.origin.take().is_none());
    assert!(places.connects_on_shared(true));
    assert!(places.origin.take().is_some());
}
