//! `relink sync`.

mod datastores;
mod folder;
mod jobs;
mod logs;
mod runs;
mod triggers;
mod workflows;

use std::time::Duration;

use crate::{api_client::ApiClient, args::Sync, exit::CliError, output::Output};

/// The time between two looks at a run that is waited for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(client: &ApiClient, command: Sync, output: Output) -> Result<(), CliError> {
    match command {
        Sync::Jobs => jobs::list(client, output),
        Sync::Add { file } => jobs::add(client, &file, output),
        Sync::Show { job } => jobs::show(client, &job, output),
        Sync::Remove { job } => jobs::remove(client, &job, output),
        Sync::Run(new) => runs::start(client, new, output),
        Sync::Runs { job, limit } => runs::list(client, job.as_deref(), limit, output),
        Sync::Logs { run, follow } => logs::show(client, &run, follow, output),
        Sync::Stop { run } => runs::stop(client, &run, output),
        Sync::Resume { run } => runs::resume(client, &run, output),
        Sync::Folder { folder, none } => folder::run(client, folder, none, output),
        Sync::Triggers => triggers::list(client, output),
        Sync::AddTrigger(new) => triggers::add(client, new, output),
        Sync::Schedule { trigger } => triggers::schedule(client, &trigger, output),
        Sync::RemoveTrigger { trigger } => triggers::remove(client, &trigger, output),
        Sync::Datastores { command } => datastores::run(client, command, output),
        Sync::Workflows { command } => workflows::run(client, command, output),
    }
}
