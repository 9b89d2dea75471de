//! What agents (clients of the Model Context Protocol) are set up with.

use std::path::PathBuf;

use relink_contract::{
    mcp::NewMcpToken,
    window::{McpServer, NewMcpServer},
};
use relink_domain::{AccountId, McpTokenId, Secret, account::Account, caller::Caller};
use relink_engine::{Error, McpToken};
use serde_json::{Value, json};

use crate::{App, Result, error_view};

const DAY_SECS: i64 = 24 * 60 * 60;
/// The command line's file, which is installed beside the app's.
const COMMAND: &str = if cfg!(windows) { "relink.exe" } else { "relink" };

impl App {
    pub async fn mcp_servers(&self, id: AccountId) -> Result<Vec<McpServer>> {
        let account = self.account_of(id).await?;
        let servers = self.0.engine.access().mcp_tokens(&Caller::Person, &account).await.map_err(error_view)?;
        Ok(servers.into_iter().map(server).collect())
    }

    /// Creates a server and copies the settings that an agent needs for it.
    pub async fn create_mcp_server(&self, id: AccountId, server: NewMcpServer) -> Result<McpServer> {
        let NewMcpServer { name, config, days } = server;
        let account = self.account_of(id).await?;
        let definition = self.0.engine.accounts().definition(&Caller::Person, id).await.map_err(error_view)?;
        let definition = definition.ok_or_else(|| {
            let message = "The account’s integration can’t be used any more, so it has no tools.";
            error_view(Error::conflict("integration_unusable", message))
        })?;
        let expires_at = days.map(|days| self.0.engine.now().plus_secs(i64::from(days) * DAY_SECS));
        let new = NewMcpToken { name: name.clone(), config, expires_at };
        let access = self.0.engine.access();
        let (created, token) =
            access.create_mcp_token(&Caller::Person, &account, &definition, new).await.map_err(error_view)?;
        let url = format!("{}/mcp/{}", self.0.runtime_info.api_port.base_url(), token.expose());
        let settings = Secret::new(settings_of(&created.name, &json!({ "url": url })));
        let undo = self.delete_mcp_server(id, created.id);
        self.copy_or_undo(&settings, "The MCP server was not created", undo).await?;
        Ok(self::server(created))
    }

    pub async fn delete_mcp_server(&self, id: AccountId, server: McpTokenId) -> Result<()> {
        let account = self.account_of(id).await?;
        self.0.engine.access().delete_mcp_token(&Caller::Person, &account, server).await.map_err(error_view)
    }

    /// The settings for `relink mcp`, with the path of the command line where the app was installed with it: agents that are started
    /// from a menu don't search the shell's path, nor do they have its variables that name a data folder.
    pub async fn agent_snippet(&self) -> Result<String> {
        let beside = tokio::task::spawn_blocking(command_beside_the_app).await.unwrap_or_default();
        let command = beside.map_or_else(|| "relink".to_owned(), |path| path.display().to_string());
        let info = &self.0.runtime_info;
        let folder = info
            .has_own_data_dir
            .then(|| std::path::absolute(&info.data_dir).unwrap_or_else(|_| info.data_dir.clone()));
        let arguments: Vec<_> = match &folder {
            Some(folder) => vec!["--data-dir".into(), folder.to_string_lossy(), "mcp".into()],
            None => vec!["mcp".into()],
        };
        Ok(settings_of("relink", &json!({ "command": command, "args": arguments })))
    }

    async fn account_of(&self, id: AccountId) -> Result<Account> {
        Ok(self.0.engine.accounts().get(&Caller::Person, id).await.map_err(error_view)?.account)
    }
}

fn command_beside_the_app() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(COMMAND);
    path.is_file().then_some(path)
}

/// In the format that Claude Desktop, Cursor and most others read.
fn settings_of(name: &str, server: &Value) -> String {
    let settings = json!({ "mcpServers": { name: server } });
    serde_json::to_string_pretty(&settings).unwrap_or_default()
}

fn server(token: McpToken) -> McpServer {
    let McpToken { id, name, config, created_at, expires_at, .. } = token;
    McpServer { id, name, config, created_at, expires_at }
}
