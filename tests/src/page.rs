//! A page, as a person meets it: what it shows, what can be pressed and filled in.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use fantoccini::{Client, Locator, elements::Element};
use tokio::time::{Instant, sleep};

use crate::relink::DEADLINE;

/// How often the page is looked at while something is waited for: the page itself tells nobody.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// A page that a driver holds: a browser's, or the app's window.
#[derive(Debug)]
pub struct Page(pub(crate) Client);

impl Page {
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

    /// Waits until the page doesn't show a text any more.
    pub async fn hides(&self, text: &str) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while self.text().await.unwrap_or_default().contains(text) {
            if Instant::now() > end {
                bail!("the page goes on showing {text:?}:\n{}", self.text().await?);
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until the page's address has nothing of this in it any more.
    pub async fn leaves(&self, part: &str) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while self.0.current_url().await?.as_str().contains(part) {
            if Instant::now() > end {
                bail!("the page stays at {part}. It shows:\n{}", self.text().await?);
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// What the page shows.
    pub async fn text(&self) -> Result<String> {
        Ok(self.0.find(Locator::Css("body")).await?.text().await?)
    }

    /// Its address.
    pub async fn address(&self) -> Result<String> {
        Ok(self.0.current_url().await?.to_string())
    }

    /// Its whole source, as it is now.
    pub async fn source(&self) -> Result<String> {
        Ok(self.0.source().await?)
    }

    /// Clicks what this selector finds, as soon as it is there.
    pub async fn click(&self, css: &str) -> Result<()> {
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::Css(css)).await;
        self.click_at_rest(found.with_context(|| format!("nothing to click at {css}"))?).await
    }

    /// Clicks the button or link with this text.
    pub async fn press(&self, text: &str) -> Result<()> {
        let path = format!("//*[self::button or self::a][contains(normalize-space(.), \"{text}\")]");
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::XPath(&path)).await;
        if found.is_err() {
            bail!("there is no button {text:?}. The page shows:\n{}", self.text().await?);
        }
        self.click_at_rest(found?).await
    }

    /// Clicks what has stopped moving, as a person does: a page that is still being laid out would move it away.
    async fn click_at_rest(&self, element: Element) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        let mut before = element.rectangle().await?;
        loop {
            sleep(LOOK).await;
            let now = element.rectangle().await?;
            if now == before {
                return Ok(element.click().await?);
            }
            if Instant::now() > end {
                bail!("what is to be clicked never comes to rest. The page shows:\n{}", self.text().await?);
            }
            before = now;
        }
    }

    /// Clicks the label with this text.
    pub async fn press_label(&self, text: &str) -> Result<()> {
        let path = format!("//label[contains(normalize-space(.), \"{text}\")]");
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::XPath(&path)).await;
        self.click_at_rest(found.with_context(|| format!("no label {text:?}"))?).await
    }

    /// Types into the field with this name.
    pub async fn fill(&self, name: &str, value: &str) -> Result<()> {
        let css = format!("[name=\"{name}\"]");
        let found = self.0.wait().at_most(DEADLINE).for_element(Locator::Css(&css)).await;
        found.with_context(|| format!("no field {name}"))?.send_keys(value).await?;
        Ok(())
    }

    /// Waits until what the page shows is drawn.
    pub async fn is_painted(&self) -> Result<()> {
        // The first frame after this one has drawn it.
        let frames = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 100)));";
        self.0.execute_async(frames, Vec::new()).await?;
        Ok(())
    }

    /// Takes a picture of the page.
    pub async fn picture(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, self.0.screenshot().await?)?)
    }
}
