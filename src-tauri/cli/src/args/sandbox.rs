//! The grammar of `relink sandbox`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Sandbox {
    /// Install and start the Sandbox.
    Start,
    /// Stop and uninstall the Sandbox. Delete its accounts first.
    Remove,
    /// Show its settings and state.
    Status,
    /// Change its settings.
    Set(SandboxSettings),
    /// Expire access tokens now.
    Expire(Subject),
    /// Simulate the provider revoking access.
    Revoke(Subject),
    /// Make the next responses fail.
    Fault(Fault),
    /// Clear all planned faults.
    Clear,
    /// Create an API key and print it.
    ApiKey(Subject),
    /// Create a client for the client credentials grant.
    Client,
    /// Delete all of the Sandbox's data.
    Reset,
    /// Show the requests it has received.
    Log {
        /// Keep printing new requests.
        #[arg(long)]
        follow: bool,
    },
}

/// The Sandbox's names for the rotations of refresh tokens. The command line does not depend on the Sandbox, so a test
/// compares the two lists.
const ROTATIONS: [&str; 4] = ["none", "rotate", "grace", "strict"];
/// The Sandbox's names for its faults.
const FAULTS: [&str; 18] = [
    "status_500",
    "status_503",
    "too_many_requests",
    "reset_before",
    "reset_after",
    "silence",
    "slow_drip",
    "truncated_json",
    "html_200",
    "no_refresh_token",
    "string_expires_in",
    "no_expires_in",
    "error_200",
    "invalid_client",
    "invalid_grant",
    "unknown_error_400",
    "echo",
    "fewer_scopes",
];
/// The endpoints that can fail.
const ENDPOINTS: [&str; 3] = ["token", "api", "revoke"];

#[derive(Debug, Args)]
pub(crate) struct SandboxSettings {
    /// Lifetime of an access token, in seconds.
    #[arg(long)]
    pub(crate) token_lifetime: Option<i64>,
    /// What happens to a used refresh token.
    #[arg(long, value_parser = ROTATIONS)]
    pub(crate) rotation: Option<String>,
    /// Seconds for which a replaced refresh token is still accepted.
    #[arg(long)]
    pub(crate) grace: Option<i64>,
    /// Seconds by which its clock is ahead.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) clock_skew: Option<i64>,
    /// Milliseconds that its token endpoint takes to respond.
    #[arg(long)]
    pub(crate) delay: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// Only this user: sandbox-ada or sandbox-grace.
    #[arg(long)]
    pub(crate) subject: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Fault {
    /// How to fail.
    #[arg(value_parser = FAULTS)]
    pub(crate) kind: String,
    /// Number of responses that fail.
    #[arg(long, default_value_t = 1)]
    pub(crate) count: u32,
    /// Endpoint that fails.
    #[arg(long, default_value = "token", value_parser = ENDPOINTS)]
    pub(crate) on: String,
    /// Number of normal responses before the first failure.
    #[arg(long, default_value_t = 0)]
    pub(crate) after: u32,
    /// Value of Retry-After, in seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) retry_after: u32,
}

#[cfg(test)]
mod tests {
    use super::{FAULTS, ROTATIONS};

    #[test]
    fn names_match_the_sandboxs() {
        fn assert_known<T: serde::de::DeserializeOwned>(names: &[&str]) {
            // For an unknown name, serde's error lists the known ones.
            let Err(error) = serde_json::from_value::<T>("nonsense".into()) else { panic!("it accepts nonsense") };
            let message = error.to_string();
            let known: Vec<_> = message.split('`').skip(3).step_by(2).collect();
            assert_eq!(known, names, "{message}");
        }
        assert_known::<relink_sandbox::FaultKind>(&FAULTS);
        assert_known::<relink_sandbox::Rotation>(&ROTATIONS);
    }
}
