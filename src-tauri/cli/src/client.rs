//! The way to the running engine: one HTTP/1.1 request over loopback, without a runtime.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;

use crate::exit::Failed;

/// The longest that an answer may take: a provider's slowness and a long poll are in it.
const PATIENCE: Duration = Duration::from_secs(75);
/// Longest answer that is read.
const LONGEST: u64 = 64 * 1024 * 1024;

/// The file by which the engine is found.
#[derive(Deserialize)]
struct Found {
    base_url: String,
    token: String,
}

/// The engine that runs.
pub(crate) struct Engine {
    address: SocketAddr,
    token: String,
    folder: PathBuf,
}

impl Engine {
    /// Finds the engine of a data folder.
    pub(crate) fn find(folder: &Path) -> Result<Self, Failed> {
        let not_running = || Failed::not_running(folder);
        let text = fs::read_to_string(folder.join("engine.json")).map_err(|_| not_running())?;
        let found: Found = serde_json::from_str(&text).map_err(|_| not_running())?;
        let address = found.base_url.strip_prefix("http://").and_then(|host| host.parse::<SocketAddr>().ok());
        let address = address.filter(|address| address.ip().is_loopback()).ok_or_else(not_running)?;
        Ok(Self { address, token: found.token, folder: folder.to_owned() })
    }

    /// Where it is, without a slash at the end.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, Failed> {
        self.ask("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        self.ask("POST", path, Some(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failed> {
        self.ask("DELETE", path, None)
    }

    /// Asks, and gives the answer or the engine's words.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failed> {
        // Left behind by an engine that was killed: nobody listens there any more.
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))
            .map_err(|_| Failed::not_running(&self.folder))?;
        let answer = self
            .exchange(&mut stream, method, path, body)
            .map_err(|error| Failed::new(format!("Relink did not answer: {error}. Its log says more.")))?;
        let Answer { status, body } = answer;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or(Value::Null) };
        if (200..300).contains(&status) { Ok(body) } else { Err(Failed::of_answer(&body)) }
    }

    fn exchange(&self, stream: &mut TcpStream, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            self.token,
            body.len(),
        );
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(LONGEST).read_to_end(&mut bytes)?;
        Answer::parse(&bytes).ok_or_else(|| io::Error::other("its answer broke off"))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// Reads a whole answer (RFC 9112), as our own server writes them.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let rest = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |wanted: &str| {
            head.split("\r\n").skip(1).find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.trim())
            })
        };
        let body = if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            unchunked(rest)?
        } else if let Some(length) = header("content-length") {
            rest.get(..length.parse().ok()?)?.to_vec()
        } else {
            rest.to_vec()
        };
        Some(Self { status, body })
    }
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

/// A part of a path, written so that it can't be anything else.
pub(crate) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let answer = |text: &str| Answer::parse(text.as_bytes());
        let whole = Some(Answer { status: 200, body: b"hello".to_vec() });
        assert_eq!(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), whole);
        assert_eq!(
            answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
            whole
        );
        assert_eq!(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), None);
        assert_eq!(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello"), None);
        assert_eq!(answer("HTTP/1.1 200"), None);
        assert_eq!(answer(""), None);
    }

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(segment("a/../b?c#d"), "a%2F..%2Fb%3Fc%23d");
    }
}
