//! Sync jobs in the app's own window.

use anyhow::{Context, Result};
use relink_tests::{
    app::App,
    desktop::{ALL, Desktop},
};

use super::connect;

#[tokio::test]
async fn an_example_of_a_sync_job_is_added_and_runs_into_a_file() -> Result<()> {
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    let exports = tempfile::tempdir()?;
    let folder = exports.path().canonicalize()?;

    app.press("Sync jobs").await?;
    app.shows("Keep a copy of what a provider has").await?;
    app.fill("folder", folder.to_str().context("a text")?).await?;
    app.press("Use this folder").await?;
    app.shows("Files go to").await?;
    app.press("Contacts into a file").await?;
    app.shows("Select a node to go to its lines.").await?;
    app.press("Add job").await?;
    app.shows("This job hasn’t run yet.").await?;
    app.press("Run now…").await?;
    // The only account that fits is chosen.
    app.click("dialog[open] footer button[type=submit]:not(:disabled)").await?;
    app.shows("Run of Contacts into a file").await?;
    app.shows("Completed").await?;
    app.shows("contacts.sqlite").await?;
    assert!(folder.join("contacts.sqlite").metadata()?.len() > 0);
    app.press("Back to the job").await?;
    app.shows("Triggers").await
}
