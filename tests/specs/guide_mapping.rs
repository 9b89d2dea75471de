//! `docs/guide-mapping.md`: its commands, run as they stand there.

use anyhow::{Context, Result};
use relink_tests::{guide::Guide, relink::Relink};
use serde_json::json;

#[tokio::test]
async fn the_guide_to_one_mapping_prints_what_it_says() -> Result<()> {
    let (session, relink) = Relink::start_with_sandbox().await?;
    let installed = relink.get("/environment-integration").await?;
    let installed = installed["result"][0]["id"].as_str().context("the Sandbox is installed")?;
    for subject in ["sandbox-ada", "sandbox-grace"] {
        let key = relink.post("/relink/sandbox/control/api-keys", json!({ "subject": subject })).await?;
        let account = json!({
            "tenant_id": subject, "environment_integration_id": installed, "authentication_method": "api_key",
            "context": { "api_key": key["api_key"] },
        });
        relink.post("/integrated-account", account).await?;
    }
    Guide::read("guide-mapping.md")?.run(&session, &relink).await?;
    relink.stop().await
}
