//! Runs the window's commands, as the table of [`relink_contract::window_commands`] declares them: each calls the method of
//! [`App`] that has its name. A command without its method, or with other types, doesn't compile.

use std::{
    future::{Ready, ready},
    path::PathBuf,
};

#[allow(clippy::wildcard_imports, reason = "the commands may name any of the window's types")]
use relink_contract::window::*;
use relink_domain::{
    AccountId, ApiTokenId, DeliveryId, LinkTokenId, McpTokenId, Secret, SyncJobCronTriggerId, SyncJobId, SyncJobRunId,
    Timestamp, WebhookId, webhook::SignatureFormat,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    App, Result,
    error::{desktop_error, internal_error},
    lock,
};

macro_rules! define_dispatch {
    ($( $(#[doc = $doc:literal])* fn $name:ident($($argument:ident: $type:ty),*) -> $output:ty; )*) => {
        impl App {
            /// Runs a command with its arguments, a JSON object. Returns its output as JSON text.
            pub async fn dispatch(&self, command: &str, arguments: Value) -> Result<String> {
                match command {
                    $(stringify!($name) => {
                        #[derive(Deserialize)]
                        struct Arguments { $($argument: $type),* }
                        let Arguments { $($argument),* } = decode(command, arguments)?;
                        let output: $output = self.$name($($argument),*).await?;
                        encode(&output)
                    })*
                    unknown => Err(internal_error(&format!("There is no command {unknown}."))),
                }
            }
        }
    };
}
relink_contract::window_commands!(define_dispatch);

fn decode<T: DeserializeOwned>(command: &str, arguments: Value) -> Result<T> {
    serde_json::from_value(arguments)
        // Without the parser's message, which may contain an entered secret.
        .map_err(|_| internal_error(&format!("The arguments of the command {command} can’t be read.")))
}

fn encode<T: Serialize>(output: &T) -> Result<String> {
    serde_json::to_string(output).map_err(|error| internal_error(&error.to_string()))
}

// The commands that need nothing but the desktop.
impl App {
    pub fn initial_destination(&self) -> Ready<Result<Option<Destination>>> {
        ready(Ok(lock(&self.0.initial_destination).take()))
    }

    pub fn test_notification(&self) -> impl Future<Output = Result<()>> {
        let shown = self.0.desktop.test_notification();
        async { shown.await.map_err(|reason| desktop_error("notification", &reason)) }
    }

    pub fn test_sign_in_redirect(&self) -> impl Future<Output = Result<String>> {
        let returned = self.0.desktop.test_sign_in_redirect();
        async { returned.await.map_err(|reason| desktop_error("deep_link", &reason)) }
    }

    pub fn copy_text(&self, text: String) -> Ready<Result<()>> {
        ready(self.copy_to_clipboard(&Secret::new(text)))
    }

    pub async fn choose_folder(&self, start: Option<String>) -> Result<Option<String>> {
        let start = start.map(PathBuf::from).filter(|folder| folder.is_dir());
        let chosen = self.0.desktop.choose_folder(start).await.map_err(|reason| desktop_error("folder", &reason))?;
        // The window's field has text.
        let text = chosen.map(|folder| folder.into_os_string().into_string()).transpose();
        text.map_err(|_| {
            desktop_error("folder", "The folder’s path isn’t text (UTF-8). Choose another folder, or rename it.")
        })
    }

    pub fn open_data_folder(&self) -> Ready<Result<()>> {
        let opened = self.0.desktop.open_folder(self.data_dir());
        ready(opened.map_err(|reason| desktop_error("data_folder", &reason)))
    }
}
