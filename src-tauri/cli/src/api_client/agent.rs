//! Messages of agents, for `relink mcp`.

use relink_contract::WireSecret;
use serde_json::Value;
use ureq::http::{Request, StatusCode, header};

use super::{
    ApiClient, MAX_RESPONSE_BYTES, decode_error,
    operations::{Call, Operation},
};
use crate::{args::Offer, exit::CliError};

/// What a message is answered with.
#[derive(Debug)]
pub(crate) enum AgentAnswer {
    Message(Value),
    /// It was a notification.
    Nothing,
}

impl ApiClient {
    /// Sends a JSON-RPC message, with an API token or the run's own. However long a provider takes.
    pub(crate) fn ask_as_agent(
        &self,
        offer: &Offer,
        token: Option<&WireSecret>,
        message: &[u8],
    ) -> Result<AgentAnswer, CliError> {
        let mut call = Call::from(Operation::McpOfAllAccounts);
        for (name, values) in [("accounts", &offer.accounts), ("methods", &offer.methods), ("tags", &offer.tags)] {
            if !values.is_empty() {
                call = call.query(name, values.join(","));
            }
        }
        let token = token.unwrap_or_else(|| self.token());
        let request = Request::builder()
            .method(call.method())
            .uri(format!("http://{}{}", self.host, call.path()))
            .header(header::AUTHORIZATION, format!("Bearer {}", token.expose()))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .body(message)
            .map_err(|error| CliError::new(format!("The message can't be sent: {error}.")))?;
        let request = self.agent.configure_request(request).timeout_global(None).build();
        let answer = self.agent.run(request).and_then(|mut response| {
            let body = response.body_mut().with_config().limit(MAX_RESPONSE_BYTES).read_to_vec()?;
            Ok((response.status(), body))
        });
        let (status, body) = answer.map_err(|error| self.error_from(&error))?;
        if status == StatusCode::ACCEPTED {
            return Ok(AgentAnswer::Nothing);
        }
        // An error of Relink's own has no `jsonrpc`.
        match serde_json::from_slice::<Value>(&body) {
            Ok(answer) if answer.get("jsonrpc").is_some() => Ok(AgentAnswer::Message(answer)),
            Ok(_) | Err(_) => Err(CliError::from_error_body(&decode_error(&body))),
        }
    }
}
