//! `relink sandbox`: the Sandbox and its controls.

use super::LONG_POLL_SECS;
use crate::{
    api_client::{
        ApiClient,
        sandbox::{FaultPlan, RequestLogEntry, SandboxStatus, SettingsChange, SubjectFilter},
    },
    args::{Fault, Sandbox, SandboxSettings, Subject},
    exit::CliError,
    output::Output,
    table::Cell,
};

/// The integration's name.
const SANDBOX: &str = "sandbox";

pub(super) fn run(client: &ApiClient, command: Sandbox, output: Output) -> Result<(), CliError> {
    match command {
        Sandbox::Start => output.text(&client.install_integration(SANDBOX)?, |_| {
            "The Sandbox is running. Connect an account: relink connect sandbox --open".to_owned()
        }),
        Sandbox::Remove => {
            output.text(&client.uninstall_integration(SANDBOX)?, |_| "The Sandbox was removed.".to_owned())
        }
        Sandbox::Status => output.text(&client.sandbox_status()?, describe),
        Sandbox::Set(settings) => output.text(&client.change_sandbox_settings(&settings.into())?, describe),
        Sandbox::Expire(subject) => output.text(&client.expire_sandbox_tokens(&subject.into())?, |result| {
            format!("Access tokens expired: {}", result.expired)
        }),
        Sandbox::Revoke(subject) => output.text(&client.revoke_sandbox_access(&subject.into())?, |result| {
            format!("Sign-ins, API keys and clients revoked: {}", result.revoked)
        }),
        Sandbox::Fault(fault) => output.text(&client.plan_sandbox_faults(&fault.into())?, |result| {
            format!("Responses that will fail: {}", result.faults_left)
        }),
        Sandbox::Clear => output.text(&client.clear_sandbox_faults()?, |_| "No more responses will fail.".to_owned()),
        Sandbox::ApiKey(subject) => {
            output.exact(&client.create_sandbox_api_key(&subject.into())?, |key| key.api_key.expose())
        }
        Sandbox::Client => output.text(&client.create_sandbox_client()?, |client| {
            format!("Client ID      {}\nClient secret  {}", client.client_id, client.client_secret.expose())
        }),
        Sandbox::Reset => output.text(&client.reset_sandbox()?, |_| "The Sandbox was reset.".to_owned()),
        Sandbox::Log { follow } => log(client, follow, output),
    }
}

fn describe(status: &SandboxStatus) -> String {
    let settings = &status.settings;
    format!(
        "Access token lifetime   {} s\n\
         Refresh token rotation  {}, grace period {} s\n\
         Clock ahead by          {} s\n\
         Response delay          {} ms\n\
         Sign-ins                {}\n\
         Planned faults          {}",
        settings.token_lifetime_secs,
        settings.rotation,
        settings.grace_secs,
        settings.clock_skew_secs,
        settings.delay_millis,
        status.sign_ins,
        status.faults_left,
    )
}

fn log(client: &ApiClient, follow: bool, output: Output) -> Result<(), CliError> {
    let (mut after, mut wait_secs) = (0, 0);
    loop {
        let entries = client.sandbox_log_after(after, wait_secs)?.entries;
        output.entries(&entries, |entries| entries.iter().map(log_row).collect())?;
        after = entries.last().map_or(after, |entry| entry.seq);
        if !follow {
            return Ok(());
        }
        wait_secs = LONG_POLL_SECS;
    }
}

fn log_row(entry: &RequestLogEntry) -> [Cell; 5] {
    [
        entry.at.as_str().into(),
        entry.endpoint.as_str().into(),
        entry.grant_type.as_deref().unwrap_or_default().into(),
        entry.outcome.as_str().into(),
        entry.subject.as_deref().unwrap_or_default().into(),
    ]
}

impl From<SandboxSettings> for SettingsChange {
    fn from(settings: SandboxSettings) -> Self {
        Self {
            token_lifetime_secs: settings.token_lifetime,
            rotation: settings.rotation,
            grace_secs: settings.grace,
            clock_skew_secs: settings.clock_skew,
            delay_millis: settings.delay,
        }
    }
}

impl From<Subject> for SubjectFilter {
    fn from(subject: Subject) -> Self {
        Self { subject: subject.subject }
    }
}

impl From<Fault> for FaultPlan {
    fn from(fault: Fault) -> Self {
        Self { kind: fault.kind, count: fault.count, on: fault.on, after: fault.after, retry_after: fault.retry_after }
    }
}
