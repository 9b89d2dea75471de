use std::{
    fs,
    io::{self, Read, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use relink_contract::data_folder::{ENGINE_FILE, LOCK_FILE};
use serde_json::{Value, json};

use super::{operations::Operation, *};

/// The data folder of a killed Relink: the engine file exists, and the lock is free.
fn abandoned_data_dir(base_url: &str) -> tempfile::TempDir {
    let data_dir = tempfile::tempdir().expect("a folder");
    write_engine_file(data_dir.path(), &json!({ "base_url": base_url }));
    fs::write(data_dir.path().join(LOCK_FILE), "").expect("written");
    data_dir
}

fn write_engine_file(data_dir: &Path, fields: &Value) {
    let mut engine = json!({ "token": "control", "pid": 1, "version": "0" });
    let (all, fields) = (engine.as_object_mut().expect("an object"), fields.as_object().expect("an object"));
    all.extend(fields.clone());
    fs::write(data_dir.join(ENGINE_FILE), engine.to_string()).expect("written");
}

fn lock(data_dir: &Path) -> fs::File {
    let lock = fs::File::options().write(true).open(data_dir.join(LOCK_FILE)).expect("there");
    lock.try_lock().expect("free");
    lock
}

/// A data folder whose lock is held, as by a running Relink.
fn running_data_dir(base_url: &str) -> (tempfile::TempDir, fs::File) {
    let data_dir = abandoned_data_dir(base_url);
    let lock = lock(data_dir.path());
    (data_dir, lock)
}

/// A server that sends `response` to one request, and returns that request.
fn respond_once(response: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = Vec::new();
        let mut bytes = [0; 1024];
        while !is_complete(&request) {
            let read = stream.read(&mut bytes).expect("a request");
            request.extend_from_slice(&bytes[..read]);
        }
        stream.write_all(response.as_bytes()).expect("sent");
        String::from_utf8_lossy(&request).into_owned()
    });
    (base_url, server)
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// The result of `GET /relink/status` with this response, while Relink runs.
fn response_of(response: &'static str) -> Result<Value, CliError> {
    let (base_url, server) = respond_once(response);
    let (data_dir, _lock) = running_data_dir(&base_url);
    let result = ApiClient::locate(data_dir.path()).expect("located").call(Operation::GetStatus);
    server.join().expect("requested");
    result
}

#[test]
fn a_response_is_read_completely_or_not_at_all() {
    assert_eq!(response_of("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n\"hello\""), Ok("hello".into()));
    assert_eq!(
        response_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\"he\r\n4\r\nllo\"\r\n0\r\n\r\n"),
        Ok("hello".into())
    );
    for incomplete in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\"hello\"",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n\"hello\"",
        "HTTP/1.1 200",
        "",
    ] {
        let error = response_of(incomplete).expect_err(incomplete);
        assert!(error.to_string().starts_with("Relink did not respond"), "{incomplete:?}: {error}");
    }
}

#[test]
fn a_response_that_cannot_be_parsed_is_an_error_without_its_values() {
    let (base_url, server) = respond_once("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n\"canary-secret\"");
    let (data_dir, _lock) = running_data_dir(&base_url);
    let error = ApiClient::locate(data_dir.path())
        .expect("located")
        .call::<u32>(Operation::GetStatus)
        .expect_err("not a number");
    server.join().expect("requested");
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[test]
fn an_endless_response_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let block = [b' '; 16 * 1024];
        while stream.write_all(&block).is_ok() {}
    });
    let (data_dir, _lock) = running_data_dir(&base_url);
    let error =
        ApiClient::locate(data_dir.path()).expect("located").call::<Value>(Operation::GetStatus).expect_err("too long");
    assert!(error.to_string().starts_with("Relink did not respond"), "{error}");
    server.join().expect("the connection was closed");
}

#[test]
fn a_request_has_the_exact_host_and_the_token() {
    let (base_url, server) = respond_once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let (data_dir, _lock) = running_data_dir(&base_url);
    let client = ApiClient::locate(data_dir.path()).expect("located");
    assert_eq!(client.call(Operation::GetStatus), Ok(json!({})));
    let request = server.join().expect("requested");
    assert!(request.starts_with("GET /relink/status HTTP/1.1\r\n"), "{request}");
    let headers = request.to_ascii_lowercase();
    assert!(headers.contains(&format!("\r\nhost: {}\r\n", &base_url["http://".len()..])), "{request}");
    assert_eq!(headers.matches("host:").count(), 1, "{request}");
    assert!(headers.contains("\r\nauthorization: bearer control\r\n"), "{request}");
    assert!(headers.contains("\r\nconnection: close\r\n"), "{request}");
}

#[test]
fn a_body_is_sent_as_json_and_an_empty_one_with_its_length() {
    for (body, expected) in [(Some(json!({ "a": "ü" })), "{\"a\":\"ü\"}"), (None, "")] {
        let (base_url, server) = respond_once("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull");
        let (data_dir, _lock) = running_data_dir(&base_url);
        let client = ApiClient::locate(data_dir.path()).expect("located");
        let result: Result<Value, _> = match &body {
            Some(body) => client.call_with(Operation::CreateLinkToken, body),
            None => client.call(Operation::CreateLinkToken),
        };
        assert_eq!(result, Ok(Value::Null));
        let request = server.join().expect("requested");
        let (head, sent) = request.split_once("\r\n\r\n").expect("a head");
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("post /link-token http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}", expected.len())), "{head}");
        assert!(head.contains("\r\ncontent-type: application/json"), "{head}");
        assert_eq!(sent, expected);
    }
}

#[test]
fn an_error_is_reported_with_the_servers_message() {
    let response = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n\
        {\"statusCode\":404,\"error\":\"Not Found\",\"message\":\"No account.\",\"code\":\"x\"}";
    assert_eq!(response_of(response), Err(CliError::new("No account.")));
    // The Sandbox's error responses contain only a message.
    let response = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n{\"message\":\"Nobody has this subject.\"}";
    assert_eq!(response_of(response), Err(CliError::new("Nobody has this subject.")));
}

#[test]
fn a_redirect_is_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("polled");
    let target = listener.local_addr().expect("an address");
    let response =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n");
    response_of(response.leak()).expect_err("a redirect is not a success");
    assert_eq!(listener.accept().expect_err("no connection").kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_relink_that_does_not_run_is_reported_as_not_running() {
    let empty = tempfile::tempdir().expect("a folder");
    assert_eq!(ApiClient::locate(empty.path()).err(), Some(CliError::not_running(empty.path())));

    // It stopped between the check of its lock and the request.
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (data_dir, _lock) = running_data_dir(&format!("http://{free}"));
    let client = ApiClient::locate(data_dir.path()).expect("located");
    assert_eq!(client.call::<Value>(Operation::GetStatus), Err(CliError::not_running(data_dir.path())));
}

#[test]
fn a_relink_that_stops_during_a_request_is_distinguished_from_one_that_does_not_respond() {
    let error = response_of("").expect_err("the connection was closed");
    assert_ne!(error, CliError::stopped(), "it still runs");

    let (base_url, server) = respond_once("");
    let (data_dir, lock) = running_data_dir(&base_url);
    let client = ApiClient::locate(data_dir.path()).expect("located");
    let release = thread::spawn(move || {
        thread::sleep(LIVENESS_POLL_INTERVAL * 2);
        drop(lock);
    });
    assert_eq!(client.call::<Value>(Operation::GetStatus), Err(CliError::stopped()));
    release.join().expect("released");
    server.join().expect("requested");
}

#[test]
fn nothing_is_sent_to_a_program_that_took_the_port_of_a_killed_relink() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("polled");
    let data_dir = abandoned_data_dir(&format!("http://{}", listener.local_addr().expect("an address")));
    let result: Result<Value, _> = ApiClient::locate(data_dir.path())
        .and_then(|client| client.call_with(Operation::CreateLinkToken, &"a client secret"));
    assert_eq!(result, Err(CliError::not_running(data_dir.path())));
    assert_eq!(listener.accept().expect_err("no connection").kind(), io::ErrorKind::WouldBlock);

    // The check has left the lock free for the next Relink.
    lock(data_dir.path());
}

#[test]
fn the_token_is_sent_to_no_other_machine() {
    for base_url in ["http://192.0.2.1:7417", "https://evil.example", "http://evil.example:7417", "file:///x", ""] {
        let (data_dir, _lock) = running_data_dir(base_url);
        assert_eq!(
            ApiClient::locate(data_dir.path()).err(),
            Some(CliError::not_running(data_dir.path())),
            "{base_url}"
        );
    }
}

#[test]
fn a_percent_encoded_text_stays_one_segment() {
    assert_eq!(percent_encode("a/../b?c#d ü"), "a%2F..%2Fb%3Fc%23d%20%C3%BC");
}

#[cfg(unix)]
#[test]
fn the_socket_is_preferred_to_the_port_and_no_other_program_gets_the_token() {
    let squatter = TcpListener::bind("127.0.0.1:0").expect("a port");
    squatter.set_nonblocking(true).expect("polled");
    let base_url = format!("http://{}", squatter.local_addr().expect("an address"));
    let (data_dir, _lock) = running_data_dir(&base_url);
    let path = data_dir.path().join("api.sock");
    let socket = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    write_engine_file(data_dir.path(), &json!({ "base_url": base_url, "socket": path }));
    let server = thread::spawn(move || {
        let (mut stream, _) = socket.accept().expect("a connection");
        let mut request = [0; 1024];
        let length = stream.read(&mut request).expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\"hi\"").expect("sent");
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let client = ApiClient::locate(data_dir.path()).expect("located");
    assert_eq!(client.call(Operation::GetStatus), Ok(json!("hi")));
    let request = server.join().expect("requested");
    assert!(request.to_ascii_lowercase().contains("\r\nauthorization: bearer control\r\n"), "{request}");

    // The socket is gone: there is no second attempt with the port.
    fs::remove_file(&path).expect("removed");
    assert_eq!(client.call::<Value>(Operation::GetStatus), Err(CliError::not_running(data_dir.path())));
    assert_eq!(squatter.accept().expect_err("no connection").kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn without_the_port_there_is_no_link_and_the_reason_is_given() {
    let (data_dir, _lock) = running_data_dir("");
    let fields =
        json!({ "base_url": null, "port_problem": "Port 7417 is used by another program.", "socket": "/nowhere" });
    write_engine_file(data_dir.path(), &fields);
    let client = ApiClient::locate(data_dir.path()).expect("located");
    let error = client.base_url().expect_err("no browser can open it");
    assert!(error.to_string().starts_with("Port 7417 is used by another program."), "{error}");
}
