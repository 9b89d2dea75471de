//! A real browser: Debian's Chromium, without a window, driven by `chromedriver`.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use fantoccini::{Client, ClientBuilder, Locator, wd::WindowHandle};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::{Instant, sleep, timeout},
};

use crate::{process, relink::DEADLINE, session::Session};

/// How often the page is looked at while something is waited for: the page itself tells nobody.
const LOOK: Duration = Duration::from_millis(50);

/// The browser.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    first: WindowHandle,
    _driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts it in a session.
    pub async fn start(session: &Session) -> Result<Self> {
        let mut command = session.command("chromedriver");
        command.args(["--port=0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = process::spawn(command)?;
        let mut lines = BufReader::new(driver.stdout.take().context("no output")?).lines();
        let port = loop {
            let line = timeout(DEADLINE, lines.next_line()).await.context("`chromedriver` is silent")??;
            let line = line.context("`chromedriver` ended")?;
            if let Some(port) = line.split("started successfully on port ").nth(1) {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Its further words are read away, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let profile = tempfile::tempdir()?;
        let flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1000,900",
        ];
        let mut arguments: Vec<Value> = flags.map(Value::from).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()).into());
        let binary = dying_with_its_driver(profile.path())?;
        let wanted = json!({ "goog:chromeOptions": { "args": arguments, "binary": binary } });
        let Value::Object(capabilities) = wanted else { bail!("an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await?;
        let first = client.window().await?;
        Ok(Self { client, first, _driver: driver, _profile: profile })
    }

    /// Opens an address.
    pub async fn open(&self, url: &str) -> Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// Waits until the page shows a text.
    pub async fn shows(&self, text: &str) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            let page = self.text().await.unwrap_or_default();
            if page.contains(text) {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the page never showed {text:?}. It shows:\n{page}");
            }
            sleep(LOOK).await;
        }
    }

    /// What the page shows.
    pub async fn text(&self) -> Result<String> {
        Ok(self.client.find(Locator::Css("body")).await?.text().await?)
    }

    /// Clicks what this selector finds, as soon as it is there.
    pub async fn click(&self, css: &str) -> Result<()> {
        let found = self.client.wait().at_most(DEADLINE).for_element(Locator::Css(css)).await;
        found.with_context(|| format!("nothing to click at {css}"))?.click().await?;
        Ok(())
    }

    /// Clicks the button or link with this text.
    pub async fn press(&self, text: &str) -> Result<()> {
        let path = format!("//*[self::button or self::a][contains(normalize-space(.), \"{text}\")]");
        let found = self.client.wait().at_most(DEADLINE).for_element(Locator::XPath(&path)).await;
        if found.is_err() {
            bail!("there is no button {text:?}. The page shows:\n{}", self.text().await?);
        }
        found?.click().await?;
        Ok(())
    }

    /// Types into the field with this name.
    pub async fn fill(&self, name: &str, value: &str) -> Result<()> {
        let css = format!("[name=\"{name}\"]");
        let found = self.client.wait().at_most(DEADLINE).for_element(Locator::Css(&css)).await;
        found.with_context(|| format!("no field {name}"))?.send_keys(value).await?;
        Ok(())
    }

    /// Goes to the tab that was opened last, as soon as there is one.
    pub async fn newest_tab(&self) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(other) = self.client.windows().await?.into_iter().find(|window| *window != self.first) {
                return Ok(self.client.switch_to_window(other).await?);
            }
            if Instant::now() > end {
                bail!("no new tab was opened. The page shows:\n{}", self.text().await?);
            }
            sleep(LOOK).await;
        }
    }

    /// Closes the present tab and goes back to the first.
    pub async fn back_to_first_tab(&self) -> Result<()> {
        if self.client.window().await? != self.first {
            self.client.close_window().await?;
        }
        Ok(self.client.switch_to_window(self.first.clone()).await?)
    }

    /// Takes a picture of the page.
    pub async fn picture(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, self.client.screenshot().await?)?)
    }

    /// Ends it.
    pub async fn close(self) -> Result<()> {
        Ok(self.client.close().await?)
    }

    /// Walks the connect page from where it is: on to the provider, says yes there as this person, and comes back.
    pub async fn sign_in_at_sandbox(&self, person: &str) -> Result<()> {
        self.press("Continue to").await?;
        self.newest_tab().await?;
        self.click(&format!("#person-{person}")).await?;
        self.click("#allow").await
    }
}

/// A program that is Chromium, and is killed when `chromedriver` ends. A test that fails, or is killed, takes only `chromedriver`
/// with it: the browser would stay.
fn dying_with_its_driver(folder: &Path) -> Result<PathBuf> {
    let program = folder.join("chromium");
    fs::write(&program, "#!/bin/sh\nexec setpriv --pdeathsig KILL -- /usr/bin/chromium \"$@\"\n")?;
    fs::set_permissions(&program, Permissions::from_mode(0o700))?;
    Ok(program)
}
