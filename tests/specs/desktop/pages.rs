//! Sync jobs, their folder, and unified models in the app's own window.

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

#[tokio::test]
async fn the_folder_for_files_is_chosen_in_the_desktops_dialog() -> Result<()> {
    const TITLE: &str = "Choose a folder for the files of sync jobs";
    // Given
    let desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    let exports = tempfile::tempdir()?;
    let folder = exports.path().canonicalize()?;
    app.press("Sync jobs").await?;
    // When
    app.press("Choose…").await?;
    let dialog = desktop.has_window_called(TITLE).await?;
    desktop.activate(&dialog)?;
    desktop.is_in_front(TITLE).await?;
    // A path that begins with / is typed into the dialog's own field.
    desktop.enter_into(TITLE, folder.to_str().context("a text")?).await?;
    // Then
    app.click("form button[type=submit]:not([disabled])").await?;
    app.shows("Files go to").await?;
    app.shows(folder.to_str().context("a text")?).await
}

#[tokio::test]
async fn a_mapping_is_tried_with_an_account() -> Result<()> {
    // Given
    let mut desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    connect(&app, &mut desktop).await?;
    app.press("Models").await?;
    app.press("Ticketing").await?;
    app.press("tickets").await?;
    app.press("tickets list on Sandbox").await?;
    app.shows("tickets · list on Sandbox").await?;
    // When
    app.press("Try with account…").await?;
    app.shows("This is a real call to Sandbox").await?;
    app.press("Call Sandbox").await?;
    // Then: what the Sandbox's first ticket has, in the model's form
    app.shows("Answer to a real call with").await?;
    app.shows("\"ticket_type\"").await?;
    app.hides("Differs from the schema").await
}
