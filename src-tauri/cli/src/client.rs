//! The way to the running engine: one HTTP/1.1 request over loopback, without a runtime.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;

use crate::exit::Failed;

/// The longest that an answer may take: a provider's slowness and a long poll are in it.
const PATIENCE: Duration = Duration::from_secs(75);
/// How often it is looked whether it has ended, where it didn't answer.
const LOOKS: u32 = 25;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
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
    /// Finds the engine of a data folder, if it lives. The file outlives an engine that was killed, and anybody may
    /// listen at its address then: only the lock, which the system takes back, says that the address is the engine's.
    pub(crate) fn find(folder: &Path) -> Result<Self, Failed> {
        let not_running = || Failed::not_running(folder);
        if !lives(folder)? {
            return Err(not_running());
        }
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
        // It has ended since.
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))
            .map_err(|_| Failed::not_running(&self.folder))?;
        let answer = self.exchange(&mut stream, method, path, body).map_err(|error| {
            if self.has_ended() {
                return Failed::ended();
            }
            Failed::new(format!("Relink did not answer: {error}. Its log says more."))
        })?;
        let Answer { status, body } = answer;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or(Value::Null) };
        if (200..300).contains(&status) { Ok(body) } else { Err(Failed::of_answer(&body)) }
    }

    /// Whether it is no more what runs with this data folder. One that is killed loses its connections a little before
    /// its lock.
    fn has_ended(&self) -> bool {
        let ended = || match Self::find(&self.folder) {
            Ok(now) => now.token != self.token,
            Err(failed) => failed == Failed::not_running(&self.folder),
        };
        (0..LOOKS).any(|_| {
            let ended = ended();
            if !ended {
                thread::sleep(BETWEEN_LOOKS);
            }
            ended
        })
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

/// Whether an engine holds the data folder's lock. Sharing it is possible only while none does; an engine that starts
/// at this moment tries again (`Store::open`).
fn lives(folder: &Path) -> Result<bool, Failed> {
    let path = folder.join("relink.lock");
    let unknown = |error: io::Error| {
        Failed::new(format!("Whether Relink runs can't be seen: {} can't be used: {error}.", path.display()))
    };
    let lock = match fs::File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unknown(error)),
    };
    match lock.try_lock_shared() {
        // Let go with the file, at the end of this.
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(error)) => Err(unknown(error)),
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
    use std::net::TcpListener;

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

    /// A data folder whose file says this, left behind by an engine that was killed.
    fn left_behind(base_url: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let found = serde_json::json!({ "base_url": base_url, "token": "control", "pid": 1, "version": "0" });
        fs::write(folder.path().join("engine.json"), found.to_string()).expect("written");
        fs::write(folder.path().join("relink.lock"), "").expect("written");
        folder
    }

    /// The same, while an engine lives: it holds the lock.
    fn living(base_url: &str) -> (tempfile::TempDir, fs::File) {
        let folder = left_behind(base_url);
        let lock = fs::File::options().write(true).open(folder.path().join("relink.lock")).expect("there");
        lock.try_lock().expect("free");
        (folder, lock)
    }

    /// Answers one request, and gives what was asked.
    fn answers(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            let mut bytes = [0; 1024];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                let read = stream.read(&mut bytes).expect("a request");
                request.extend_from_slice(&bytes[..read]);
            }
            stream.write_all(answer.as_bytes()).expect("answered");
            String::from_utf8_lossy(&request).into_owned()
        });
        (base_url, asked)
    }

    #[test]
    fn a_request_names_the_host_as_the_engine_wants_it_and_carries_the_token() {
        let (base_url, asked) = answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        let (folder, _lock) = living(&base_url);
        let engine = Engine::find(folder.path()).expect("found");
        assert_eq!(engine.get("/relink/status"), Ok(serde_json::json!({})));
        let asked = asked.join().expect("asked");
        assert!(asked.starts_with("GET /relink/status HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("\r\nHost: {}\r\n", &base_url["http://".len()..])), "{asked}");
        assert!(asked.contains("\r\nAuthorization: Bearer control\r\n"), "{asked}");
    }

    #[test]
    fn an_error_is_told_in_the_engines_words() {
        let (base_url, asked) = answers(
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"message\":\"There is none.\",\"code\":\"x\"}",
        );
        let (folder, _lock) = living(&base_url);
        let engine = Engine::find(folder.path()).expect("found");
        assert_eq!(engine.get("/x"), Err(Failed::new("There is none.")));
        asked.join().expect("asked");
    }

    #[test]
    fn an_engine_that_is_not_there_is_said_to_be_not_running() {
        let nothing = tempfile::tempdir().expect("a folder");
        assert_eq!(Engine::find(nothing.path()).err(), Some(Failed::not_running(nothing.path())));

        // It ended between the look at its lock and the question.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let (ended, _lock) = living(&format!("http://{free}"));
        let engine = Engine::find(ended.path()).expect("it lived");
        assert_eq!(engine.get("/ping"), Err(Failed::not_running(ended.path())));
    }

    #[test]
    fn one_that_ends_while_it_is_asked_is_said_to_have_ended_and_one_that_lives_not_to_have_answered() {
        let (base_url, asked) = answers("");
        let (folder, _lock) = living(&base_url);
        let engine = Engine::find(folder.path()).expect("found");
        let failed = engine.get("/x").expect_err("it broke off");
        asked.join().expect("asked");
        assert_ne!(failed, Failed::ended(), "it lives");

        let (base_url, asked) = answers("");
        let (killed, lock) = living(&base_url);
        let engine = Engine::find(killed.path()).expect("found");
        let lets_go = thread::spawn(move || {
            thread::sleep(BETWEEN_LOOKS * 2);
            drop(lock);
        });
        assert_eq!(engine.get("/x"), Err(Failed::ended()));
        lets_go.join().expect("let go");
        asked.join().expect("asked");
    }

    #[test]
    fn nobody_who_took_a_killed_engines_place_is_asked_anything() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("asked without waiting");
        let folder = left_behind(&format!("http://{}", listener.local_addr().expect("an address")));
        let asked = Engine::find(folder.path()).and_then(|engine| engine.post("/x", &Value::from("a client secret")));
        assert_eq!(asked, Err(Failed::not_running(folder.path())));
        assert_eq!(listener.accept().expect_err("nobody came").kind(), io::ErrorKind::WouldBlock);

        // Looking leaves the lock to the next engine.
        let lock = fs::File::options().write(true).open(folder.path().join("relink.lock")).expect("there");
        lock.try_lock().expect("free");
    }

    #[test]
    fn the_token_goes_to_no_other_machine() {
        for base_url in ["http://192.0.2.1:7417", "https://evil.example", "http://evil.example:7417", "file:///x", ""] {
            let (folder, _lock) = living(base_url);
            assert_eq!(Engine::find(folder.path()).err(), Some(Failed::not_running(folder.path())), "{base_url}");
        }
    }

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(segment("a/../b?c#d"), "a%2F..%2Fb%3Fc%23d");
    }
}
