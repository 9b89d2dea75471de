//! The app on a desktop: window, deep link, notification, tray.

use anyhow::Result;
use relink_tests::{
    app::App,
    desktop::{ALL, Desktop},
};

#[tokio::test]
async fn the_window_opens() -> Result<()> {
    let desktop = Desktop::start(ALL).await?;
    let app = App::start(&desktop).await?;
    app.shows("Accounts").await?;
    desktop.picture(std::path::Path::new("/tmp/desk1.png"))?;
    Ok(())
}
