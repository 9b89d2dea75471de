//! A web page as a user sees it: its text, and what can be pressed and filled in.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, bail};
use fantoccini::{Client, Locator, elements::Element};
use tokio::time::{Instant, sleep};

use crate::relink::{DEADLINE, POLL_INTERVAL};

/// A page that is controlled by `WebDriver`: in a browser, or in the app's window.
#[derive(Debug)]
pub struct Page(pub(crate) Client, AtomicUsize);

impl Page {
    pub(crate) fn new(client: Client) -> Self {
        Self(client, AtomicUsize::new(0))
    }

    /// How often something was clicked so far.
    pub fn clicks(&self) -> usize {
        self.1.load(Ordering::SeqCst)
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
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until the page no longer shows a text.
    pub async fn hides(&self, text: &str) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while self.text().await.unwrap_or_default().contains(text) {
            if Instant::now() > end {
                bail!("the page still shows {text:?}:\n{}", self.text().await?);
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Waits until the page's address no longer contains this text.
    pub async fn leaves(&self, part: &str) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while self.0.current_url().await?.as_str().contains(part) {
            if Instant::now() > end {
                bail!("the page's address still contains {part}. The page shows:\n{}", self.text().await?);
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Enters a frame of the page, as soon as it exists. [`Browser::switch_to`](crate::browser::Browser::switch_to) leaves it.
    pub async fn enter_frame(&self, css: &str) -> Result<()> {
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::Css(css)).await;
        found.with_context(|| format!("no frame matches {css}"))?.enter_frame().await?;
        Ok(())
    }

    /// The visible text of the page.
    pub async fn text(&self) -> Result<String> {
        Ok(self.0.find(Locator::Css("body")).await?.text().await?)
    }

    /// The page's address.
    pub async fn address(&self) -> Result<String> {
        Ok(self.0.current_url().await?.to_string())
    }

    /// The current source of the page.
    pub async fn source(&self) -> Result<String> {
        Ok(self.0.source().await?)
    }

    /// Clicks the element that this CSS selector finds, as soon as it exists.
    pub async fn click(&self, css: &str) -> Result<()> {
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::Css(css)).await;
        self.click_when_still(found.with_context(|| format!("no element matches {css}"))?).await
    }

    /// Clicks the button or link with this text.
    pub async fn press(&self, text: &str) -> Result<()> {
        let path = format!("//*[self::button or self::a][contains(normalize-space(.), \"{text}\")]");
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::XPath(&path)).await;
        if found.is_err() {
            bail!("there is no button {text:?}. The page shows:\n{}", self.text().await?);
        }
        self.click_when_still(found?).await
    }

    /// Clicks the button or link with this text in a frame, which the click removes. A driver may answer that the frame is gone before
    /// it answers that it has clicked.
    pub async fn press_away(&self, text: &str) -> Result<()> {
        match self.press(text).await {
            Err(error) if format!("{error:#}").contains("target frame detached") => Ok(()),
            pressed => pressed,
        }
    }

    /// Clicks an element after it has stopped moving. While the page is still being laid out, the click could miss it.
    async fn click_when_still(&self, element: Element) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        // A driver doesn't scroll for an element that can be seen in part, and then clicks on what covers the rest.
        let shown = serde_json::to_value(&element)?;
        self.0.execute("arguments[0].scrollIntoView({ block: 'nearest' })", vec![shown]).await?;
        let mut before = element.rectangle().await?;
        loop {
            sleep(POLL_INTERVAL).await;
            let now = element.rectangle().await?;
            if now == before {
                self.1.fetch_add(1, Ordering::SeqCst);
                return Ok(element.click().await?);
            }
            if Instant::now() > end {
                bail!("the element never stopped moving. The page shows:\n{}", self.text().await?);
            }
            before = now;
        }
    }

    /// Clicks the label with this text.
    pub async fn press_label(&self, text: &str) -> Result<()> {
        let path = format!("//label[contains(normalize-space(.), \"{text}\")]");
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::XPath(&path)).await;
        self.click_when_still(found.with_context(|| format!("no label {text:?}"))?).await
    }

    /// Types into the field with this name.
    pub async fn fill(&self, name: &str, value: &str) -> Result<()> {
        let css = format!("[name=\"{name}\"]");
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::Css(&css)).await;
        found.with_context(|| format!("no field {name}"))?.send_keys(value).await?;
        Ok(())
    }

    /// Waits until the current state of the page has been painted.
    pub async fn is_painted(&self) -> Result<()> {
        // The state is painted when the second animation frame begins.
        let frames = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 100)));";
        self.0.execute_async(frames, Vec::new()).await?;
        Ok(())
    }

    /// Takes a screenshot of the page.
    pub async fn screenshot(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, self.0.screenshot().await?)?)
    }
}

/// Waits until there is a value.
pub async fn until<T>(mut value: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = value() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        sleep(POLL_INTERVAL).await;
    }
}
