//! Passes the window's commands to the app. They are declared in `relink_contract::window_commands`.

use relink_contract::window::ErrorView;
use serde_json::Value;
use tauri::{
    Manager, Wry,
    ipc::{Invoke, InvokeBody, InvokeError, InvokeResponseBody},
};

use crate::app;

/// Runs the commands that Tauri lets through: those of a window whose capability allows them (src-tauri/capabilities).
pub(crate) fn handler() -> impl Fn(Invoke<Wry>) -> bool + Send + Sync + 'static {
    |invoke| {
        let Invoke { message, resolver, .. } = invoke;
        let app = app(message.webview_ref().app_handle());
        let command = message.command().to_owned();
        let arguments = match message.payload() {
            InvokeBody::Json(arguments) => arguments.clone(),
            InvokeBody::Raw(_) => Value::Null,
        };
        resolver.respond_async_serialized(async move {
            let output = app.dispatch(&command, arguments).await;
            output.map(InvokeResponseBody::Json).map_err(|error: ErrorView| InvokeError::from(error))
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn only_the_main_window_may_call_commands_and_none_of_a_plugin() {
        let capability: Value = serde_json::from_str(include_str!("../capabilities/main.json")).expect("JSON");
        assert_eq!(capability["windows"], json!(["main"]), "the connect window has no commands");
        assert!(capability.get("remote").is_none(), "no remote page has any");
        let permissions = json!(["core:event:allow-listen", "core:event:allow-unlisten", "window-commands"]);
        assert_eq!(capability["permissions"], permissions);
    }
}
