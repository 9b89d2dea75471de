//! `docs/guide-waiting-job.md`: its commands, run as they stand there, with a person who signs in when the browser opens.

use anyhow::{Context, Result};
use relink_tests::{browser::Browser, guide::Guide, opener::Opener, relink::Relink};
use serde_json::json;

#[tokio::test]
async fn the_guide_to_a_waiting_job_prints_what_it_says() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    let browser = Browser::start(&session).await?;
    let link = relink.magic_link(json!({ "tenant_id": "ada" })).await?;
    browser.open(&format!("{link}&integration=sandbox")).await?;
    browser.sign_in_at_sandbox("ada").await?;
    browser.shows("Connection successful").await?;
    browser.back_to_first_tab().await?;
    let opener = Opener::install(&session.folder().join("guide"))?;
    let guide = Guide::read("guide-waiting-job.md")?;
    let person = async {
        browser.open(&opener.address().await?).await?;
        browser.sign_in_at_sandbox("ada").await?;
        browser.shows("Connection successful").await
    };
    let done = tokio::try_join!(guide.run(&session, &relink), person);
    let runs = relink.get("/sync-job-run").await?;
    done.with_context(|| format!("the runs: {runs}\nthe log: {}", relink.logged()))?;
    browser.close().await?;
    relink.stop().await
}
