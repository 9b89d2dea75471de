//! `relink mcp`: an MCP server on standard input and output, over all accounts that its token may use. Each line is a message, which the
//! running Relink answers (contract section 10.2). It finds Relink anew for each one, so that an agent needn't be restarted with it.

use std::{
    io::{self, BufRead},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use relink_contract::WireSecret;
use relink_domain::Secret;
use serde_json::{Value, json};

use crate::{
    api_client::{AgentAnswer, ApiClient},
    args::Offer,
    exit::CliError,
    terminal::Stream,
};

/// So many messages are answered at the same time.
const WORKERS: usize = 10;
/// A message's maximum length, in bytes: what the API takes.
const MAX_MESSAGE: u64 = 1 << 20;
/// Where the API token is read from. Without one it is the run's own: the person's.
const TOKEN_VARIABLE: &str = "RELINK_TOKEN";
/// JSON-RPC 2.0 §5.1, and one of those that it leaves to servers.
const INVALID_REQUEST: i32 = -32600;
const REFUSED: i32 = -32000;

struct Agent {
    data_dir: PathBuf,
    offer: Offer,
    token: Option<WireSecret>,
}

pub(crate) fn run(data_dir: &Path, offer: Offer) -> Result<(), CliError> {
    let token = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.trim().is_empty());
    let token = token.map(|token| Secret::new(token.trim()).into());
    let agent = Agent { data_dir: data_dir.to_owned(), offer, token };
    let (sender, receiver) = mpsc::sync_channel::<Vec<u8>>(0);
    let receiver = Mutex::new(receiver);
    let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Ok(line) = next() {
                    let Some(answer) = agent.answer(&line) else { continue };
                    if let Err(error) = Stream::Output.json_lines(&[answer]) {
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        return;
                    }
                }
            });
        }
        let read = each_line(io::stdin().lock(), |line| sender.send(line).is_ok());
        drop(sender);
        read
    })
    .map_err(|error| CliError::new(format!("Standard input can't be read: {error}.")))?;
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(CliError::output(&error)),
        None => Ok(()),
    }
}

/// Takes lines until the input ends or nobody wants more. Of a line that is too long, the rest is skipped.
fn each_line(mut input: impl BufRead, mut take: impl FnMut(Vec<u8>) -> bool) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        let read = io::Read::take(&mut input, MAX_MESSAGE + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 > MAX_MESSAGE {
            input.skip_until(b'\n')?;
        }
        if !line.trim_ascii().is_empty() && !take(line) {
            return Ok(());
        }
    }
}

impl Agent {
    /// `None` if the message wants no answer.
    fn answer(&self, line: &[u8]) -> Option<Value> {
        let message: Option<Value> = serde_json::from_slice(line).ok();
        let id = message.as_ref().and_then(|message| message.get("id")).cloned().unwrap_or_default();
        if line.len() as u64 > MAX_MESSAGE {
            return Some(refusal(&id, INVALID_REQUEST, "The message is longer than 1 MiB."));
        }
        let asked = ApiClient::locate(&self.data_dir)
            .and_then(|client| client.ask_as_agent(&self.offer, self.token.as_ref(), line.trim_ascii()));
        match asked {
            Ok(AgentAnswer::Message(answer)) => Some(answer),
            Ok(AgentAnswer::Nothing) => None,
            // A notification is answered by nothing, whatever becomes of it.
            Err(_) if message.is_some() && id.is_null() => None,
            Err(error) => Some(refusal(&id, REFUSED, &error.to_string())),
        }
    }
}

fn refusal(id: &Value, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_message_and_a_long_one_is_cut() {
        let long = "x".repeat(3 << 20);
        let input = format!("{{}}\n\n  \r\n{long}\n[1]");
        let mut lines = Vec::new();
        each_line(io::Cursor::new(input), |line| {
            lines.push(line);
            true
        })
        .expect("read");
        let lengths: Vec<_> = lines.iter().map(Vec::len).collect();
        assert_eq!(lengths, [3, (1 << 20) + 1, 3]);
        assert_eq!(lines[2], b"[1]");
    }

    #[test]
    fn without_relink_a_request_is_answered_and_a_notification_is_not() {
        let folder = std::env::temp_dir().join("no-relink-runs-here");
        let offer = Offer { accounts: vec![], methods: vec![], tags: vec![] };
        let agent = Agent { data_dir: folder, offer, token: None };
        let answer = agent.answer(br#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#).expect("an answer");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("a"), &json!(REFUSED)));
        assert!(answer["error"]["message"].as_str().expect("a message").contains("is not running"), "{answer}");
        assert_eq!(agent.answer(br#"{"method":"notifications/initialized"}"#), None);
        assert_eq!(agent.answer(b"not JSON").expect("an answer")["id"], Value::Null);
    }
}
