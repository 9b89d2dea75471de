//! The grammar of `relink mcp`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
// Otherwise its group would have the same name as that of the command.
#[group(skip)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Mcp {
    #[command(flatten)]
    pub(crate) offer: Offer,
    #[command(subcommand)]
    pub(crate) command: Option<McpServers>,
}

/// Which tools `relink mcp` offers on standard input and output.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Offer {
    /// Offer the tools of this account only: its ID or its name. May be repeated.
    #[arg(long = "account", value_name = "ACCOUNT")]
    pub(crate) accounts: Vec<String>,
    /// Offer only these methods: names, read, write or custom, separated by commas.
    #[arg(long, value_name = "METHODS", value_delimiter = ',')]
    pub(crate) methods: Vec<String>,
    /// Offer only tools with one of these tags, separated by commas.
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum McpServers {
    /// Create an MCP server for an account and print its URL, which can't be shown again.
    Create {
        /// Account ID, its beginning, or the account's name.
        account: String,
        /// What the server is for.
        name: String,
        /// Offer only these methods: names, read, write or custom, separated by commas.
        #[arg(long, value_name = "METHODS", value_delimiter = ',')]
        methods: Vec<String>,
        /// Offer only tools with one of these tags, separated by commas.
        #[arg(long, value_name = "TAGS", value_delimiter = ',')]
        tags: Vec<String>,
        /// Days until the server ends [default: never].
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires: Option<u32>,
        /// Require an API token beside the URL.
        #[arg(long)]
        require_api_token: bool,
    },
    /// List an account's MCP servers, without their URLs.
    List {
        /// Account ID, its beginning, or the account's name.
        account: String,
    },
    /// Delete an MCP server. Its agents are refused from then on.
    Delete {
        /// Account ID, its beginning, or the account's name.
        account: String,
        /// ID of the server.
        id: String,
    },
}
