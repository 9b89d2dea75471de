//! One JSON-RPC message in, at most one out. Truto's clients send less than JSON-RPC asks for (contract section 10.2), so a message is
//! completed before the SDK reads it.

use rmcp::{
    model::{ClientJsonRpcMessage, ProtocolVersion, ServerJsonRpcMessage},
    service::serve_directly,
    transport::OneshotTransport,
};
use serde_json::{Map, Value, json};

use super::server::Server;
use crate::error::ApiError;

/// JSON-RPC 2.0 §5.1.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;
const INTERNAL_ERROR: i32 = -32603;
/// Ours, within what JSON-RPC leaves to servers.
const REFUSED: i32 = -32000;

/// What a message asks for.
#[derive(Debug)]
pub(super) enum Message {
    /// It wants an answer with this id. The message itself has another, which the SDK can read.
    Request { id: Value, message: Box<ClientJsonRpcMessage> },
    /// A notification, or an answer: nothing is answered.
    Silent,
}

/// An error to answer, with the id of the message if it has one.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable(pub(super) Value);

impl Message {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
            return Err(refused(&Value::Null, PARSE_ERROR, "The message isn't valid JSON."));
        };
        let Value::Object(mut message) = value else {
            let message = "A message must be one JSON object. Relink takes no batches.";
            return Err(refused(&Value::Null, INVALID_REQUEST, message));
        };
        let id = message.remove("id").unwrap_or_default();
        if !(id.is_null() || id.is_string() || id.is_number()) {
            return Err(refused(&Value::Null, INVALID_REQUEST, "id must be a text or a number."));
        }
        let Some(method) = message.get("method").and_then(Value::as_str) else {
            let is_answer = message.contains_key("result") || message.contains_key("error");
            let message = "The message has no method.";
            return if is_answer { Ok(Self::Silent) } else { Err(refused(&id, INVALID_REQUEST, message)) };
        };
        if method.starts_with("notifications/") {
            return Ok(Self::Silent);
        }
        if method == "initialize" {
            complete_initialize(&mut message);
        }
        message.insert("jsonrpc".to_owned(), json!("2.0"));
        // A request without an id is answered all the same, and an id of any size comes back as it was.
        message.insert("id".to_owned(), json!(0));
        match serde_json::from_value(Value::Object(message)) {
            Ok(message) => Ok(Self::Request { id, message: Box::new(message) }),
            Err(_) => Err(refused(&id, INVALID_PARAMS, "The message's params aren't valid.")),
        }
    }

    /// The answer to a message that Relink does nothing for, for a reason of its own.
    pub(super) fn refuse(self, why: &ApiError) -> Option<Value> {
        let Self::Request { id, .. } = self else { return None };
        Some(refused(&id, REFUSED, why.message()).0)
    }

    /// The answer, as JSON.
    pub(super) async fn answer(self, server: Server) -> Option<Value> {
        let Self::Request { id, message } = self else { return None };
        let (transport, mut answers) = OneshotTransport::new(*message);
        let running = serve_directly(server, transport, None);
        let answer = loop {
            match answers.recv().await {
                Some(answer @ (ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_))) => {
                    break Some(answer);
                }
                // Nothing else has a place in the one answer.
                Some(_) => {}
                None => break None,
            }
        };
        drop(running);
        let answer = answer.and_then(|answer| serde_json::to_value(answer).ok());
        Some(match answer {
            Some(Value::Object(mut answer)) => {
                answer.insert("id".to_owned(), id);
                answer.into()
            }
            _ => refused(&id, INTERNAL_ERROR, "Relink ran into an internal error. Please report it.").0,
        })
    }
}

/// The error of a request that nothing is done for.
fn refused(id: &Value, code: i32, message: &str) -> Unreadable {
    Unreadable(json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
}

/// What a client leaves out of its `initialize`.
fn complete_initialize(message: &mut Map<String, Value>) {
    let params = message.entry("params").or_insert_with(|| json!({}));
    let Some(params) = params.as_object_mut() else { return };
    params.entry("protocolVersion").or_insert_with(|| json!(ProtocolVersion::V_2024_11_05));
    params.entry("capabilities").or_insert_with(|| json!({}));
    params.entry("clientInfo").or_insert_with(|| json!({"name": "unknown", "version": ""}));
}
