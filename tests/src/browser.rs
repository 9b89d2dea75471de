//! A real browser: Debian's Chromium in headless mode, controlled by `chromedriver`.

use std::{
    fs::{self, Permissions},
    ops::Deref,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use fantoccini::{ClientBuilder, wd::WindowHandle};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::{Instant, sleep, timeout},
};

use crate::{
    page::Page,
    process,
    relink::{DEADLINE, POLL_INTERVAL},
    session::Session,
};

const DRIVER_STARTS: u32 = 5;

/// The browser.
#[derive(Debug)]
pub struct Browser {
    page: Page,
    first: WindowHandle,
    _driver: Child,
    profile: TempDir,
}

impl Deref for Browser {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.page
    }
}

/// Starts `chromedriver`, and gives its port. It takes a free port of IPv4, and exits if the same one of IPv6 is taken.
async fn driver(session: &Session) -> Result<(Child, String)> {
    for _ in 0..DRIVER_STARTS {
        let mut command = session.command("chromedriver");
        command.args(["--port=0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = process::spawn(command)?;
        let mut lines = BufReader::new(driver.stdout.take().context("no output")?).lines();
        while let Some(line) =
            timeout(DEADLINE, lines.next_line()).await.context("`chromedriver` printed nothing")??
        {
            if let Some(port) = line.split("started successfully on port ").nth(1) {
                let port = port.trim_end_matches('.').to_owned();
                // Discard its further output, so that it never blocks on a full pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok((driver, port));
            }
        }
    }
    bail!("`chromedriver` has exited {DRIVER_STARTS} times before it listened")
}

impl Browser {
    /// Starts it in a session.
    pub async fn start(session: &Session) -> Result<Self> {
        Self::start_trusting(session, &[]).await
    }

    /// Starts it with the permission for these origins to open Relink's deep links without a question.
    pub async fn start_trusting(session: &Session, trusted: &[&str]) -> Result<Self> {
        let (driver, port) = driver(session).await?;
        let profile = tempfile::tempdir()?;
        let preferences = profile.path().join("Default/Preferences");
        fs::create_dir_all(profile.path().join("Default"))?;
        fs::write(preferences, preferences_with_trusted_origins(trusted).to_string())?;
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
        let binary = wrapper_that_ends_with_the_driver(profile.path())?;
        let wanted = json!({ "goog:chromeOptions": { "args": arguments, "binary": binary } });
        let Value::Object(capabilities) = wanted else { bail!("not an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await?;
        let first = client.window().await?;
        Ok(Self { page: Page::new(client), first, _driver: driver, profile })
    }

    /// Opens an address.
    pub async fn open(&self, url: &str) -> Result<()> {
        Ok(self.page.0.goto(url).await?)
    }

    /// Switches to a newly opened tab, as soon as there is one.
    pub async fn newest_tab(&self) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(other) = self.page.0.windows().await?.into_iter().find(|window| *window != self.first) {
                return Ok(self.page.0.switch_to_window(other).await?);
            }
            if Instant::now() > end {
                bail!("no new tab was opened. The page shows:\n{}", self.text().await?);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Runs an action that opens a tab or a pop-up, and switches to that.
    pub async fn opens_by(&self, action: impl Future<Output = Result<()>>) -> Result<WindowHandle> {
        let before = self.page.0.windows().await?;
        action.await?;
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(new) = self.page.0.windows().await?.into_iter().find(|window| !before.contains(window)) {
                self.page.0.switch_to_window(new.clone()).await?;
                return Ok(new);
            }
            if Instant::now() > end {
                bail!("nothing was opened. The page shows:\n{}", self.text().await?);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Switches to a tab or a pop-up.
    pub async fn switch_to(&self, window: &WindowHandle) -> Result<()> {
        Ok(self.page.0.switch_to_window(window.clone()).await?)
    }

    /// Switches to the first tab.
    pub async fn switch_to_first(&self) -> Result<()> {
        self.switch_to(&self.first).await
    }

    /// Waits until a pop-up is closed.
    pub async fn closes(&self, window: &WindowHandle) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while self.page.0.windows().await?.contains(window) {
            if Instant::now() > end {
                bail!("the pop-up stayed open");
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Closes the current tab or pop-up.
    pub async fn close_current(&self) -> Result<()> {
        Ok(self.page.0.close_window().await?)
    }

    /// Loads the current page again.
    pub async fn reload(&self) -> Result<()> {
        Ok(self.page.0.refresh().await?)
    }

    /// The value of a script that returns text.
    pub async fn evaluate(&self, script: &str) -> Result<String> {
        let value = self.page.0.execute(script, Vec::new()).await?;
        value.as_str().map(str::to_owned).with_context(|| format!("not a text: {value}"))
    }

    /// The value that a script passes to its callback, `arguments[0]`.
    pub async fn evaluate_async(&self, script: &str) -> Result<Value> {
        Ok(self.page.0.execute_async(script, Vec::new()).await?)
    }

    /// Closes the current tab and switches back to the first one.
    pub async fn back_to_first_tab(&self) -> Result<()> {
        if self.page.0.window().await? != self.first {
            self.page.0.close_window().await?;
        }
        Ok(self.page.0.switch_to_window(self.first.clone()).await?)
    }

    /// Ends the browser. Its profile stays until the returned folder is dropped.
    pub async fn close_keeping_profile(self) -> Result<TempDir> {
        let Self { page, profile, _driver: mut driver, .. } = self;
        page.0.close().await?;
        driver.kill().await?;
        Ok(profile)
    }

    /// Ends the `WebDriver` session.
    pub async fn close(self) -> Result<()> {
        Ok(self.page.0.close().await?)
    }

    /// Waits until the page that the provider returned to shows what becomes of the sign-in.
    pub async fn has_returned(&self) -> Result<()> {
        let heading = "return document.querySelector('h1')?.textContent ?? '';";
        let end = Instant::now() + DEADLINE;
        loop {
            let is_there = self.address().await?.contains("/connect-account/return");
            let heading = self.evaluate(heading).await.unwrap_or_default();
            if is_there && !heading.is_empty() && !heading.starts_with("Opening") {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the provider did not return. The page shows:\n{}", self.text().await?);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Begins a sign-in to the Sandbox with this magic link for a new account. Returns the URL of the provider's page.
    pub async fn begin_at_sandbox(&self, link: &str) -> Result<String> {
        self.open(&format!("{link}&integration=sandbox")).await?;
        self.provider_page().await
    }

    /// Goes on from the connect page to the provider's page. Returns its URL, and closes its tab.
    pub async fn provider_page(&self) -> Result<String> {
        self.opens_by(self.press("Continue to")).await?;
        self.shows("Sign in as").await?;
        let provider = self.address().await?;
        self.close_current().await?;
        self.switch_to_first().await?;
        Ok(provider)
    }

    /// Continues from the connect page: goes on to the provider, gives consent there as this person, and returns.
    pub async fn sign_in_at_sandbox(&self, person: &str) -> Result<()> {
        self.press("Continue to").await?;
        self.newest_tab().await?;
        self.click(&format!("#person-{person}")).await?;
        self.click("#allow").await?;
        // Closing this tab too early would interrupt the redirect back to Relink, and the page that claims the callback.
        self.leaves("/authorize").await?;
        self.has_returned().await
    }
}

/// A wrapper that runs Chromium and kills it when `chromedriver` exits. A test that fails or is killed stops only
/// `chromedriver`; without the wrapper, the browser would keep running.
fn wrapper_that_ends_with_the_driver(folder: &Path) -> Result<PathBuf> {
    let program = folder.join("chromium");
    fs::write(&program, "#!/bin/sh\nexec setpriv --pdeathsig KILL -- /usr/bin/chromium \"$@\"\n")?;
    fs::set_permissions(&program, Permissions::from_mode(0o700))?;
    Ok(program)
}

/// The preference that Chromium stores when a user ticks "Always allow … to open links of this type".
fn preferences_with_trusted_origins(trusted: &[&str]) -> Value {
    let allowed = trusted.iter().map(|origin| ((*origin).to_owned(), json!({ "app.relink.desktop": true })));
    json!({ "protocol_handler": { "allowed_origin_protocol_pairs": Value::Object(allowed.collect()) } })
}
