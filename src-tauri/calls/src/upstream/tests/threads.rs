//! Which thread's calls use a connection.

use std::{
    future::pending,
    sync::Mutex,
    task::{Context, Waker},
    time::Duration,
};

use tokio::runtime::{Builder, Runtime};

use super::*;

/// A thread's runtime, whose time goes on only while it waits.
fn new_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

fn http1(connection: Connection) -> Box<http1::Connection> {
    let Connection::Http1(connection) = connection else { panic!("another version") };
    connection
}

#[test]
fn a_free_connection_is_left_to_its_own_thread_for_a_second() {
    let (own, other) = (new_runtime(), new_runtime());
    let (_server, origin) = own.block_on(async {
        let server = Server::start().await;
        let (origin, first) = in_use(&server.base).await;
        origin.keep(first);
        (server, origin)
    });
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
fn a_connection_that_becomes_free_goes_to_a_call_that_can_use_it() {
    let (own, other) = (new_runtime(), new_runtime());
    let (_server, origin, in_use) = own.block_on(async {
        let server = Server::start().await;
        let (origin, in_use) = in_use(&server.base).await;
        (server, origin, in_use)
    });
    let mut elsewhere = Box::pin(origin.new_connection(pending()));
    other.block_on(async {
        assert!(elsewhere.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    });
    let found = own.block_on(async {
        let waits = tokio::time::timeout(Duration::from_mins(1), origin.new_connection(pending()));
        tokio::join!(waits, async { origin.keep(in_use) }).0
    });
    let found = found.expect("at once, although another call has waited for longer").expect("a connection");
    own.block_on(async { origin.keep(http1(found.connection)) });
    let later = other.block_on(async { tokio::time::timeout(Duration::from_mins(1), elsewhere).await });
    assert!(later.expect("after a second").expect("a connection").is_reused);
}

#[test]
fn what_several_threads_may_share_is_connected_on_the_runtime_for_that() {
    let shared = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let own = Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (scheme, speaks_http2, is_shared) in [("http", false, false), ("https", false, true), ("https", true, true)] {
        let server = own.block_on(Server::start());
        let base = server.base.as_str().replace("http", scheme).parse().expect("a URL");
        let origin = Arc::new(Origin::new(&base, shared.handle().clone()).expect("an origin"));
        let address = server.listener.local_addr().expect("bound");
        let connected_on_shared = || {
            let runtime = Arc::<Mutex<_>>::default();
            let noted = Arc::clone(&runtime);
            let connect = async move {
                *noted.lock().expect("not poisoned") = Some(Handle::current().id());
                let stream = TcpStream::connect(address).await.expect("connected");
                Ok(Connected { stream: TokioIo::new(stream).into(), speaks_http2 })
            };
            let connection = own.block_on(origin.new_connection(connect)).expect("a connection");
            assert!(!connection.is_reused);
            let runtime = *runtime.lock().expect("not poisoned");
            runtime == Some(shared.handle().id())
        };
        assert_eq!(connected_on_shared(), is_shared, "{scheme}, HTTP/2: {speaks_http2}");
        if !speaks_http2 {
            assert!(!connected_on_shared(), "each call has a connection of its own");
        }
    }
}
