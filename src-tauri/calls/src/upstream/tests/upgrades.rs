//! Requests that ask for another protocol.

use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::*;

#[tokio::test]
async fn a_request_for_another_protocol_has_a_connection_of_its_own_which_is_never_used_again() {
    let server = Server::start().await;
    let mut kept = server.kept_connection().await;
    for is_accepted in [true, false] {
        let mut request = server.request(Method::GET, "/socket", full(Bytes::new()));
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        request.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        let call = tokio::spawn(server.send(request));
        let mut peer = server.accept().await;
        let head = peer.head().await;
        assert!(head.starts_with("GET /socket HTTP/1.1\r\n") && head.contains("\r\nhost: 127.0.0.1:"), "{head}");
        if !is_accepted {
            peer.say(OK).await;
            assert_eq!(whole(call.await.expect("no panic").expect("a response")).await.expect("a body"), "ok");
            assert!(peer.is_closed().await);
            continue;
        }
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        peer.say(&format!("{switch}hello")).await;
        let mut response = call.await.expect("no panic").expect("a response");
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let upgrade = response.extensions_mut().remove::<OnUpgrade>().expect("it can change");
        drop(response);
        let mut socket = TokioIo::new(upgrade.await.expect("changed"));
        let mut hello = [0; 5];
        socket.read_exact(&mut hello).await.expect("what followed the response");
        socket.write_all(&hello).await.expect("taken");
        assert_eq!(peer.read(5).await, "hello");
        drop(socket);
        assert!(peer.is_closed().await);
    }
    let call = server.get("/last");
    assert!(kept.head().await.starts_with("GET /last "));
    kept.say(OK).await;
    call.await.expect("no panic").expect("a response");
}
