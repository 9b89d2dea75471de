//! The command line's grammar.

mod sandbox;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};

use crate::exit::Failed;

pub(crate) use sandbox::Sandbox;

/// Keeps your third-party connections alive on your own machine.
#[derive(Debug, Parser)]
#[command(name = "relink", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// The data folder of the engine that is meant.
    #[arg(long, global = true, env = "RELINK_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// JSON instead of text, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The folder's name within the system's place for data: the desktop app uses the same one (its `identifier`).
const IDENTIFIER: &str = "app.relink.desktop";

impl Arguments {
    /// The data folder: as given, or the system's own place for it.
    pub(crate) fn data_dir(&self) -> Result<PathBuf, Failed> {
        let own = || directories::BaseDirs::new().map(|dirs| dirs.data_dir().join(IDENTIFIER));
        let folder = self.data_dir.clone().or_else(own);
        folder.ok_or_else(|| Failed::new("This system names no place for data. Give one with --data-dir."))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the engine and its API, without a window.
    Serve {
        /// Where to listen, as in 127.0.0.1:7417; port 0 takes any free one.
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
    },
    /// How Relink, its keychain and its accounts are.
    Status,
    /// All accounts, those in need first.
    Accounts,
    /// One account.
    Account {
        /// Its id, the beginning of it, or its name.
        id: String,
    },
    /// Make a magic link that connects a new account.
    Connect {
        /// The integration's name, as in github.
        integration: String,
        /// Whose account it will be, in your own words.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// Open the link in the browser.
        #[arg(long)]
        open: bool,
    },
    /// Make a magic link that mends an account.
    Reauthorize {
        /// Its id, the beginning of it, or its name.
        id: String,
        /// Open the link in the browser.
        #[arg(long)]
        open: bool,
    },
    /// Print a fresh access token, and nothing else.
    Token {
        /// Its id, the beginning of it, or its name.
        id: String,
    },
    /// Make one call at the provider to see whether the account works.
    Check {
        /// Its id, the beginning of it, or its name.
        id: String,
    },
    /// Refresh an account's token now.
    Refresh {
        /// Its id, the beginning of it, or its name.
        id: String,
    },
    /// Give an account another name.
    Rename {
        /// Its id, the beginning of it, or its name.
        id: String,
        /// The name from now on.
        name: String,
    },
    /// Delete an account, revoking its tokens where the provider offers that.
    Delete {
        /// Its id, the beginning of it, or its name.
        id: String,
        /// Don't ask.
        #[arg(long)]
        yes: bool,
    },
    /// What happened, newest first.
    Timeline {
        /// Only this account's: its id, the beginning of it, or its name.
        id: Option<String>,
        /// How many entries.
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
    /// Follow what is told to webhooks.
    Events {
        /// Begin after this place.
        #[arg(long)]
        after: Option<i64>,
        /// Print what is there, and end.
        #[arg(long)]
        once: bool,
    },
    /// The integrations: list, add, install.
    Integrations {
        #[command(subcommand)]
        command: Option<Integrations>,
    },
    /// The built-in provider for practice, and its controls.
    Sandbox {
        #[command(subcommand)]
        command: Sandbox,
    },
    /// Tokens for programs that use the API.
    ApiToken {
        #[command(subcommand)]
        command: ApiTokens,
    },
    /// Webhooks: who is told.
    Webhook {
        #[command(subcommand)]
        command: Webhooks,
    },
    /// Hand in an OAuth callback that came by another way.
    Callback {
        /// The address, or - to read it from standard input.
        url: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Integrations {
    /// Add an integration from a file, and install it.
    Add {
        /// The file, in Truto's config shape; - for standard input.
        file: PathBuf,
    },
    /// Install an integration of the catalogue.
    Install {
        /// Its name.
        name: String,
    },
    /// Uninstall an integration that has no accounts.
    Uninstall {
        /// Its name.
        name: String,
    },
    /// Set the OAuth client that you registered at the provider.
    Client {
        /// The integration's name.
        name: String,
        /// The client id.
        #[arg(long)]
        id: String,
        /// Read the client secret from standard input.
        #[arg(long)]
        secret_stdin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiTokens {
    /// Make a token, and print it alone. It is shown this once.
    Create {
        /// What it is for.
        name: String,
        /// Days until it ends; never, unless given.
        #[arg(long, alias = "expires-days", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires: Option<u32>,
    },
    /// All tokens, without their secrets.
    List,
    /// Revoke a token, at once.
    Revoke {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Webhooks {
    /// Add a webhook. Its signing secret is shown this once.
    Add {
        /// Where deliveries go: https, or http on this machine.
        url: String,
        /// Only these events, separated by commas.
        #[arg(long, value_delimiter = ',')]
        events: Vec<String>,
        /// Allow a private address.
        #[arg(long)]
        allow_private: bool,
    },
    /// All webhooks.
    List,
    /// Remove a webhook.
    Remove {
        /// Its id.
        id: String,
    },
    /// Send it the event test.
    Test {
        /// Its id.
        id: String,
    },
    /// The latest deliveries to it, newest first.
    Deliveries {
        /// Its id.
        id: String,
    },
    /// Deliver what was parked once more.
    Replay {
        /// Its id.
        id: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_data_folder_is_taken_behind_the_command_too() {
        let arguments = Arguments::parse_from(["relink", "accounts", "--data-dir", "/x", "--json"]);
        assert_eq!((arguments.data_dir().ok(), arguments.json), (Some("/x".into()), true));
    }

    #[test]
    fn the_data_folder_is_the_desktop_apps_own() {
        let shell: serde_json::Value = serde_json::from_str(include_str!("../../../tauri.conf.json")).expect("JSON");
        assert_eq!(shell["identifier"], IDENTIFIER);
        let mut arguments = Arguments::parse_from(["relink", "accounts"]);
        arguments.data_dir = None;
        assert!(arguments.data_dir().expect("this system has one").ends_with(IDENTIFIER));
    }

    #[test]
    fn what_is_no_command_is_refused_before_anything_happens() {
        for words in [
            &["relink"][..],
            &["relink", "nonsense"],
            &["relink", "account"],
            &["relink", "serve", "--listen", "nowhere"],
            &["relink", "api-token", "create", "x", "--expires", "0"],
            &["relink", "integrations", "client", "github"],
            &["relink", "sandbox", "fault", "nonsense"],
            &["relink", "sandbox", "fault", "silence", "--on", "x"],
            &["relink", "sandbox", "set", "--rotation", "x"],
        ] {
            let refused = Arguments::try_parse_from(words).expect_err("refused");
            assert_eq!(refused.exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn no_secret_is_taken_from_the_command_line() {
        let refused =
            Arguments::try_parse_from(["relink", "integrations", "client", "x", "--id", "y", "--secret", "z"]);
        assert!(refused.is_err());
    }
}
