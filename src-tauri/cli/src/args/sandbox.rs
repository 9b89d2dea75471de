//! The grammar of the Sandbox's controls.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Sandbox {
    /// Install it and start it.
    Start,
    /// Stop it and uninstall it; its accounts must be gone.
    Remove,
    /// Its settings and what it has seen.
    Status,
    /// Change how it behaves.
    Set(SandboxSettings),
    /// Expire access tokens now.
    Expire(Whom),
    /// Revoke access, as a provider does.
    Revoke(Whom),
    /// Let the next answers go wrong.
    Fault(Fault),
    /// No more faults.
    Clear,
    /// Make an API key, and print it alone.
    ApiKey(Whom),
    /// Make a client for client credentials.
    Client,
    /// Forget everything, as on the first day.
    Reset,
    /// The requests it has seen.
    Log {
        /// Go on.
        #[arg(long)]
        follow: bool,
    },
}

/// What becomes of a used refresh token, as the Sandbox names it. It stands alone, so its names stand here once more.
const ROTATIONS: [&str; 4] = ["none", "rotate", "grace", "strict"];
/// The ways in which the Sandbox's answers go wrong.
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
/// Where they go wrong.
const ENDPOINTS: [&str; 3] = ["token", "api", "revoke"];

#[derive(Debug, Args)]
pub(crate) struct SandboxSettings {
    /// Seconds that an access token lives.
    #[arg(long)]
    pub(crate) token_lifetime: Option<i64>,
    /// What becomes of a used refresh token.
    #[arg(long, value_parser = ROTATIONS)]
    pub(crate) rotation: Option<String>,
    /// Seconds that a replaced refresh token is still taken.
    #[arg(long)]
    pub(crate) grace: Option<i64>,
    /// Seconds that its clock is ahead.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) clock_skew: Option<i64>,
    /// Milliseconds that its token endpoint takes.
    #[arg(long)]
    pub(crate) delay: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Whom {
    /// Only this person's: sandbox-ada or sandbox-grace.
    #[arg(long)]
    pub(crate) subject: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Fault {
    /// In which way.
    #[arg(value_parser = FAULTS)]
    pub(crate) kind: String,
    /// How many answers.
    #[arg(long, default_value_t = 1)]
    pub(crate) count: u32,
    /// Of which endpoint.
    #[arg(long, default_value = "token", value_parser = ENDPOINTS)]
    pub(crate) on: String,
    /// Good answers before them.
    #[arg(long, default_value_t = 0)]
    pub(crate) after: u32,
    /// Seconds in Retry-After.
    #[arg(long, default_value_t = 60)]
    pub(crate) retry_after: u32,
}

#[cfg(test)]
mod tests {
    use super::{FAULTS, ROTATIONS};

    #[test]
    fn the_sandbox_knows_its_names_as_the_help_lists_them() {
        fn knows<T: serde::de::DeserializeOwned>(names: &[&str]) {
            // Asked for a name that it doesn't know, the Sandbox lists those that it knows.
            let Err(error) = serde_json::from_value::<T>("nonsense".into()) else { panic!("it knows nonsense") };
            let listed = error.to_string();
            let known: Vec<_> = listed.split('`').skip(3).step_by(2).collect();
            assert_eq!(known, names, "{listed}");
        }
        knows::<relink_sandbox::FaultKind>(&FAULTS);
        knows::<relink_sandbox::Rotation>(&ROTATIONS);
    }
}
