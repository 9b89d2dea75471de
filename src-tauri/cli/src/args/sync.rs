//! `relink sync`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

#[derive(Debug, Subcommand)]
pub(crate) enum Sync {
    /// List sync jobs.
    Jobs,
    /// Add a sync job from a file.
    Add {
        /// JSON file with the job, as for POST /sync-job, or - for standard input.
        file: PathBuf,
    },
    /// Show a sync job.
    Show {
        /// Job ID, its beginning, or the job's label.
        job: String,
    },
    /// Remove a sync job with its triggers. Its runs stay listed.
    Remove {
        /// Job ID, its beginning, or the job's label.
        job: String,
    },
    /// Start a run of a sync job.
    Run(NewRun),
    /// List runs, newest first.
    Runs {
        /// Only runs of this job: its ID, the beginning of it, or its label.
        job: Option<String>,
        /// Number of runs.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=5000))]
        limit: u32,
    },
    /// Show the log of a run, oldest line first.
    Logs {
        /// Run ID.
        run: String,
        /// Show new lines until the run is over.
        #[arg(long)]
        follow: bool,
    },
    /// Stop a run.
    Stop {
        /// Run ID.
        run: String,
    },
    /// Let a stopped run go on where it was.
    Resume {
        /// Run ID.
        run: String,
    },
    /// Show or choose the folder that sync jobs may write files to.
    Folder {
        /// An existing folder for their files alone: what is in it can be overwritten.
        folder: Option<PathBuf>,
        /// Let sync jobs write no files.
        #[arg(long, conflicts_with = "folder")]
        none: bool,
    },
    /// List triggers, which start runs at certain times.
    Triggers,
    /// Add a trigger and schedule it.
    AddTrigger(NewTrigger),
    /// Schedule a trigger: until then it starts no runs.
    Schedule {
        /// Trigger ID.
        trigger: String,
    },
    /// Remove a trigger. Its runs go on.
    RemoveTrigger {
        /// Trigger ID.
        trigger: String,
    },
    /// Manage workflows, which start runs when an event is sent.
    Workflows {
        #[command(subcommand)]
        command: Workflows,
    },
    /// Manage datastores, which runs can write to.
    Datastores {
        #[command(subcommand)]
        command: Datastores,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Datastores {
    /// List datastores.
    List,
    /// Show a datastore.
    Show {
        /// Datastore ID, its beginning, or the datastore's label.
        datastore: String,
    },
    /// Add an S3-compatible datastore. Its two keys are read from the environment, as S3's own tools do, or as two lines of standard input.
    Add(NewDatastore),
    /// Remove a datastore with its keys. What is in it stays.
    Remove {
        /// Datastore ID, its beginning, or the datastore's label.
        datastore: String,
    },
    /// Write a small object into a datastore and remove it again.
    Test {
        /// Datastore ID, its beginning, or the datastore's label.
        datastore: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewDatastore {
    /// What to call it.
    pub(crate) label: String,
    /// The bucket, which must exist.
    #[arg(long)]
    pub(crate) bucket: String,
    /// The region.
    #[arg(long)]
    pub(crate) region: String,
    /// URL of the server [default: Amazon's of the region].
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Allow a URL on a private network.
    #[arg(long)]
    pub(crate) allow_private: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Workflows {
    /// List workflows.
    List,
    /// Show a workflow.
    Show {
        /// Workflow ID, its beginning, or the workflow's label.
        workflow: String,
    },
    /// Add a workflow from a file.
    Add {
        /// YAML or JSON file with the workflow, as for POST /workflow, or - for standard input.
        file: PathBuf,
    },
    /// Remove a workflow. The runs and triggers of sync jobs that it made stay.
    Remove {
        /// Workflow ID, its beginning, or the workflow's label.
        workflow: String,
    },
    /// List runs of workflows, newest first.
    Runs {
        /// Only runs of this workflow: its ID, the beginning of it, or its label.
        workflow: Option<String>,
        /// Number of runs.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=5000))]
        limit: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewRun {
    /// Job ID, its beginning, or the job's label.
    pub(crate) job: String,
    #[command(flatten)]
    pub(crate) with: RunOptions,
    /// Show the progress, and wait until the run is over.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NewTrigger {
    /// Job ID, its beginning, or the job's label.
    pub(crate) job: String,
    /// When runs start: minute, hour, day of month, month and day of week, in UTC. "0 * * * *" is every hour.
    pub(crate) cron_expression: String,
    #[command(flatten)]
    pub(crate) with: RunOptions,
}

/// What a run is made with.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Account to use: its ID, the beginning of it, or its name.
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// An argument of the job, as text. May be repeated.
    #[arg(long = "arg", value_name = "NAME=TEXT", value_parser = argument)]
    pub(crate) arg: Vec<(String, String)>,
    /// The job's arguments, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub(crate) args: Option<Map<String, Value>>,
    /// Webhook for the records of a flat job, and for the run's events.
    #[arg(long, value_name = "ID")]
    pub(crate) webhook: Option<String>,
    /// Datastore for the records of a flat job: its ID, the beginning of it, or its label.
    #[arg(long)]
    pub(crate) datastore: Option<String>,
    /// What a run does whose account needs to be reauthorized.
    #[arg(long, value_name = "WHAT")]
    pub(crate) on_needs_reauth: Option<OnNeedsReauth>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnNeedsReauth {
    /// It fails.
    Fail,
    /// It waits until the account is reauthorized, and continues.
    Wait,
}

impl OnNeedsReauth {
    /// As the API names it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Wait => "wait",
        }
    }
}

impl RunOptions {
    /// All arguments: `--arg` wins over the same name in `--args`.
    pub(crate) fn arguments(&self) -> Map<String, Value> {
        let mut args = self.args.clone().unwrap_or_default();
        args.extend(self.arg.iter().map(|(name, text)| (name.clone(), Value::String(text.clone()))));
        args
    }
}

fn argument(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, text)) if !name.is_empty() => Ok((name.to_owned(), text.to_owned())),
        _ => Err("it has to be NAME=TEXT".to_owned()),
    }
}

fn object(argument: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(argument).map_err(|error| format!("it has to be a JSON object: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        run: NewRun,
    }

    fn parse(arguments: &[&str]) -> Result<Value, clap::Error> {
        let line = Line::try_parse_from([&["run", "tickets"], arguments].concat());
        line.map(|line| Value::Object(line.run.with.arguments()))
    }

    #[test]
    fn arguments_are_texts_or_json() {
        for (arguments, expected) in [
            (&[][..], json!({})),
            (&["--arg", "from=2026-01-01", "--arg", "q=a=b"], json!({ "from": "2026-01-01", "q": "a=b" })),
            (&["--arg", "n=5"], json!({ "n": "5" })),
            (&["--args", r#"{"n": 5, "from": "x"}"#, "--arg", "from=y"], json!({ "n": 5, "from": "y" })),
            (&["--arg", "empty="], json!({ "empty": "" })),
        ] {
            assert_eq!(parse(arguments).expect("valid"), expected, "{arguments:?}");
        }
        for refused in [&["--arg", "n"][..], &["--arg", "=n"], &["--args", "[]"], &["--args", "n"]] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }
}
