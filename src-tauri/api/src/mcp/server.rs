//! What agents ask for, on the official SDK's types.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use relink_calls::{MethodTarget, overrides_method};
use relink_domain::caller::Caller;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use super::{
    arguments::{call_of, input_schema},
    offered::Offered,
};
use crate::{ApiState, batch, method_calls};

/// The longest answer that an agent gets, in bytes: it has to read all of it.
const MAX_ANSWER: usize = 4 << 20;

/// One agent's view of Relink, for one message.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) api: ApiState,
    pub(super) caller: Caller,
    pub(super) offered: Arc<[Offered]>,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("relink", env!("CARGO_PKG_VERSION")).with_title("Relink");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(
                "Calls third-party APIs with the person's connected accounts. A list has pages: pass next_cursor of one to get \
                 the next. If a tool says that an account needs its person, ask them to open Relink and reauthorize it.",
            )
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.offered.iter().map(described).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(offered) = self.offered.iter().find(|offered| offered.name == request.name) else {
            let message = format!("There is no tool {:?}. List the tools again.", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let result = match self.call(offered, request.arguments.unwrap_or_default()).await {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(envelope) => CallToolResult::error(vec![ContentBlock::text(envelope.to_string())]),
        };
        Ok(result.into())
    }
}

impl Server {
    /// The answer's text, or the error's envelope.
    async fn call(&self, offered: &Offered, arguments: serde_json::Map<String, Value>) -> Result<String, Value> {
        let call =
            call_of(&offered.tool, arguments).map_err(|error| batch::error(400, "Bad Request", &error.to_string()))?;
        let request = batch::request(offered.account, &call)?;
        // A tool that reads must not be made to write by an argument.
        if overrides_method(request.headers(), request.uri().query()) {
            let message = "An argument can't ask for another method. Use another tool.";
            return Err(batch::error(400, "Bad Request", message));
        }
        let target = MethodTarget::Named { resource: &call.resource, method: &call.method, id: call.id.as_deref() };
        let response = Box::pin(method_calls::call(&self.api, &self.caller, request, target)).await;
        text_of(response).await
    }
}

async fn text_of(response: Response) -> Result<String, Value> {
    let status = response.status();
    let media_type = media_type(response.headers());
    let bytes = axum::body::to_bytes(response.into_body(), MAX_ANSWER).await.map_err(|_| {
        let message =
            "The answer ended early, or is longer than 4 MiB. Ask for less: a smaller limit, or a narrower filter.";
        batch::error(502, "Bad Gateway", message)
    })?;
    let Ok(text) = String::from_utf8(bytes.into()) else {
        let message = format!("The answer isn't text, but {media_type}. Get it through /proxy.");
        return Err(batch::error(415, "Unsupported Media Type", &message));
    };
    if status.is_success() {
        return Ok(text);
    }
    // An error is in Relink's envelope, whatever the provider's was.
    Err(serde_json::from_str(&text).unwrap_or_else(|_| json!({"statusCode": status.as_u16(), "message": text})))
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(value);
    if text.is_empty() { "binary data".to_owned() } else { text.into_owned() }
}

fn described(offered: &Offered) -> Tool {
    let reads = offered.only_reads();
    let mut hints = ToolAnnotations::new().read_only(reads).open_world(true);
    if !reads {
        hints = hints.destructive(matches!(offered.tool.method.as_str(), "update" | "delete"));
    }
    Tool::new(offered.name.clone(), offered.description(), input_schema(&offered.tool)).with_annotations(hints)
}
