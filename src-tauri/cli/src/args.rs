//! The grammar of the command line.

mod call;
mod deferred;
mod eval;
mod mcp;
mod sandbox;
mod sync;
mod webhooks;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};

use self::deferred::{Deferred, DeferredArgs};
use crate::{exit::CliError, output::Output};

pub(crate) use call::Call;
pub(crate) use eval::{Eval, Expression};
pub(crate) use mcp::{Mcp, McpServers, Offer};
pub(crate) use sandbox::{Fault, Sandbox, SandboxSettings, Subject};
pub(crate) use sync::{Datastores, NewDatastore, NewRun, NewTrigger, Sync, Workflows};
pub(crate) use webhooks::{WebhookChanges, Webhooks};

/// Keeps your third-party connections alive on your own machine.
#[derive(Debug, Parser)]
#[command(name = "relink", bin_name = "relink", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Data folder to use [default: the desktop app's].
    #[arg(long, global = true, env = "RELINK_DATA_DIR", hide_env_values = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The data folder's name within the system's data directory. The desktop app uses the same one (`identifier` in
/// tauri.conf.json).
const IDENTIFIER: &str = "app.relink.desktop";

impl Arguments {
    pub(crate) fn data_dir(&self) -> Result<PathBuf, CliError> {
        let default = || directories::BaseDirs::new().map(|dirs| dirs.data_dir().join(IDENTIFIER));
        let data_dir = self.data_dir.clone().or_else(default);
        data_dir.ok_or_else(|| CliError::new("This system has no data directory. Pass one with --data-dir."))
    }

    pub(crate) fn output(&self) -> Output {
        if self.json { Output::Json } else { Output::Text }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run Relink without its window.
    Serve {
        /// Address to listen on [default: 127.0.0.1:7417]. Port 0 picks a free port.
        #[arg(long, value_name = "ADDRESS", env = "RELINK_LISTEN", value_parser = listen_address)]
        listen: Option<SocketAddr>,
        /// Also serve the connect UI at localhost:5173, for iframes of Truto's Link SDK.
        #[arg(long)]
        also_listen: bool,
    },
    /// Show whether Relink, its keychain and its accounts work.
    Status,
    /// List accounts, those that need attention first.
    Accounts,
    /// Show an account.
    Account {
        /// Account ID, its beginning, or the account's name.
        id: String,
    },
    /// Create a magic link that connects a new account. It works on this machine only, unless there is a public address.
    Connect {
        /// Integration name, such as github.
        integration: String,
        /// Tenant the account will belong to.
        #[arg(long, default_value = "default", value_parser = tenant)]
        tenant: String,
        /// Also open the link in the browser.
        #[arg(long)]
        open: bool,
    },
    /// Create a magic link that reauthorizes an account. It works on this machine only, unless there is a public address.
    Reauthorize {
        /// Account ID, its beginning, or the account's name.
        id: String,
        /// Also open the link in the browser.
        #[arg(long)]
        open: bool,
    },
    /// Create a magic link that opens the form of an account's integration.
    Form {
        /// Account ID, its beginning, or the account's name.
        id: String,
        /// Also open the link in the browser.
        #[arg(long)]
        open: bool,
    },
    /// List the magic links that can still be used, and change where links work.
    Links {
        #[command(subcommand)]
        command: Option<Links>,
    },
    /// Print a valid access token and nothing else.
    Token {
        /// Account ID, its beginning, or the account's name.
        id: String,
        /// Print this one of the account's several credentials.
        #[arg(long, value_name = "NAME")]
        field: Option<String>,
    },
    /// Call the provider once to check that an account works.
    Check {
        /// Account ID, its beginning, or the account's name.
        id: String,
    },
    /// Call the provider's API with the account's credential.
    Call {
        #[command(flatten)]
        arguments: DeferredArgs<Call>,
    },
    /// Refresh an account's access token now.
    Refresh {
        /// Account ID, its beginning, or the account's name.
        id: String,
    },
    /// Run the steps again that an account's integration runs after a sign-in.
    RunSteps {
        /// Account ID, its beginning, or the account's name.
        id: String,
    },
    /// Rename an account.
    Rename {
        /// Account ID, its beginning, or the account's name.
        id: String,
        /// New name.
        name: String,
    },
    /// Delete an account and revoke its tokens if the provider supports it.
    Delete {
        /// Account ID, its beginning, or the account's name.
        id: String,
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
    /// Show what happened, newest first.
    Timeline {
        /// Only this account: its ID, the beginning of it, or its name.
        id: Option<String>,
        /// Number of entries.
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
    /// Show an account's last calls through Relink, newest first.
    Calls {
        /// Account ID, its beginning, or the account's name.
        id: String,
    },
    /// Stream events.
    Events {
        /// Start after the event with this sequence number.
        #[arg(long)]
        after: Option<i64>,
        /// Print the events that exist, then exit.
        #[arg(long)]
        once: bool,
    },
    /// List, add and install integrations.
    Integrations {
        #[command(subcommand)]
        command: Option<Integrations>,
    },
    /// Control the Sandbox, the built-in provider for testing.
    Sandbox {
        #[command(flatten)]
        command: Deferred<Sandbox>,
    },
    /// Manage tokens for programs that use the API.
    ApiToken {
        #[command(flatten)]
        command: Deferred<ApiTokens>,
    },
    /// Manage webhooks.
    Webhook {
        #[command(flatten)]
        command: Deferred<Webhooks>,
    },
    /// Manage sync jobs, and run them.
    Sync {
        #[command(flatten)]
        command: Deferred<Sync>,
    },
    /// Offer the accounts' tools to agents on standard input and output (MCP).
    Mcp {
        #[command(flatten)]
        arguments: DeferredArgs<Mcp>,
    },
    /// Evaluate a JSONata expression, as mappings do.
    Eval {
        #[command(flatten)]
        arguments: DeferredArgs<Eval>,
    },
    /// Submit an OAuth callback that did not reach Relink.
    Callback {
        /// Callback URL, or - to read it from standard input.
        url: String,
    },
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let advice = "write an IP address of this machine and a port, such as 127.0.0.1:7417";
    text.parse().map_err(|_| advice.to_owned())
}

fn tenant(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("name the tenant, or leave the option out: then it is \"default\""),
        _ => Ok(text.to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Integrations {
    /// Add an integration from a file and install it.
    Add {
        /// File in Truto's config format, or - for standard input.
        file: PathBuf,
    },
    /// Install an integration from the catalog.
    Install {
        /// Integration name.
        name: String,
    },
    /// Uninstall an integration that has no accounts.
    Uninstall {
        /// Integration name.
        name: String,
    },
    /// Set up the OAuth client that you registered with the provider.
    Client {
        /// Integration name.
        name: String,
        /// Client ID.
        #[arg(long)]
        id: String,
        /// Read the client secret from standard input.
        #[arg(long)]
        secret_stdin: bool,
    },
    /// Print the override of an installed integration, or replace it.
    Override {
        /// Integration name.
        name: String,
        /// JSON file with the whole new override, or - for standard input.
        #[arg(long, value_name = "FILE", conflicts_with = "clear")]
        file: Option<PathBuf>,
        /// Remove the override.
        #[arg(long)]
        clear: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Links {
    /// Revoke a link.
    Revoke {
        /// Link ID.
        id: String,
    },
    /// Show where links work, or change it.
    Settings {
        /// Whether the connect UI is also at localhost:5173, for iframes of Truto's Link SDK.
        #[arg(long, value_name = "BOOL")]
        also_listen: Option<bool>,
        /// Origins that may show the connect UI in a frame, separated by commas. Replaces the list; empty allows none.
        #[arg(long, value_name = "ORIGINS", value_delimiter = ',')]
        frame_origins: Option<Vec<String>>,
        /// The https address of your tunnel or reverse proxy, for links that work elsewhere. Empty: off.
        #[arg(long, value_name = "URL")]
        public_address: Option<String>,
        /// Redirect URLs that a program may name for its links, separated by commas. Replaces the list; empty allows none.
        #[arg(long, value_name = "URLS", value_delimiter = ',')]
        redirect_uris: Option<Vec<String>>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiTokens {
    /// Create a token and print it. It can't be shown again.
    Create {
        /// What the token is for.
        name: String,
        /// Days until the token expires [default: never].
        #[arg(long, alias = "expires-days", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires: Option<u32>,
        /// Give full access: also to integrations, to everybody's webhooks, and to changing and deleting accounts.
        #[arg(long)]
        admin: bool,
        /// Limit it to this account: its ID, the beginning of it, or its name. May be repeated.
        #[arg(long = "account", value_name = "ACCOUNT")]
        accounts: Vec<String>,
        /// Limit it to accounts of this integration. May be repeated.
        #[arg(long = "integration", value_name = "NAME")]
        integrations: Vec<String>,
        /// Let it only read: GET, HEAD and OPTIONS.
        #[arg(long)]
        read_only: bool,
        /// Don't ask for confirmation.
        #[arg(long, requires = "admin")]
        yes: bool,
    },
    /// List tokens, without their values.
    List,
    /// Revoke a token.
    Revoke {
        /// Token ID.
        id: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn grammar_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_may_follow_the_command() {
        let arguments = Arguments::parse_from(["relink", "accounts", "--data-dir", "/x", "--json"]);
        assert_eq!((arguments.data_dir().ok(), arguments.output()), (Some("/x".into()), Output::Json));
    }

    #[test]
    fn default_data_folder_is_the_desktop_apps() {
        let app: serde_json::Value = serde_json::from_str(include_str!("../../../tauri.conf.json")).expect("JSON");
        assert_eq!(app["identifier"], IDENTIFIER);
        let mut arguments = Arguments::parse_from(["relink", "accounts"]);
        arguments.data_dir = None;
        assert!(arguments.data_dir().expect("a data directory").ends_with(IDENTIFIER));
    }

    #[test]
    fn invalid_arguments_exit_with_2() {
        for arguments in [
            &["relink"][..],
            &["relink", "nonsense"],
            &["relink", "account"],
            &["relink", "serve", "--listen", "nowhere"],
            &["relink", "api-token", "create", "x", "--expires", "0"],
            &["relink", "links", "settings", "--also-listen", "maybe"],
            &["relink", "links", "revoke"],
            &["relink", "api-token", "create", "x", "--yes"],
            &["relink", "integrations", "client", "github"],
            &["relink", "eval"],
            &["relink", "eval", "1", "--binding", "x"],
            &["relink", "sandbox", "fault", "nonsense"],
            &["relink", "sandbox", "fault", "silence", "--on", "x"],
            &["relink", "sandbox", "set", "--rotation", "x"],
            &["relink", "sync"],
            &["relink", "sync", "run"],
        ] {
            let error = Arguments::try_parse_from(arguments).expect_err("invalid");
            assert_eq!(error.exit_code(), 2, "{arguments:?}");
        }
    }

    #[test]
    fn an_address_to_listen_on_that_is_a_name_is_refused_with_an_example() {
        let error = Arguments::try_parse_from(["relink", "serve", "--listen", "localhost:7499"]).expect_err("a name");
        assert!(error.to_string().contains("such as 127.0.0.1:7417"), "{error}");
    }

    #[test]
    fn a_tenant_without_a_name_is_refused_with_what_to_do() {
        let connect = |tenant: &str| Arguments::try_parse_from(["relink", "connect", "github", "--tenant", tenant]);
        for empty in ["", "  "] {
            let error = connect(empty).expect_err("no name").to_string();
            assert!(error.contains("leave the option out"), "{error}");
        }
        connect("acme").expect("a name");
    }

    #[test]
    fn a_secret_cannot_be_passed_as_an_argument() {
        let arguments = ["relink", "integrations", "client", "x", "--id", "y", "--secret", "z"];
        assert!(Arguments::try_parse_from(arguments).is_err());
    }
}
