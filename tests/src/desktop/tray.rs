//! The panel's tray: Relink's icon, the text beside it, and its menu.

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::Desktop;
use crate::relink::{DEADLINE, POLL_INTERVAL};

impl Desktop {
    /// The labels of the tray menu, each with its item id.
    pub fn tray_menu(&self) -> Result<Vec<(u32, String)>> {
        let (bus, menu) = self.tray()?;
        let layout = self.call(&bus, &menu, "com.canonical.dbusmenu.GetLayout", &["0", "-1", "[]"])?;
        // gdbus prints: (3, {'label': <'Open Relink'>, …}
        let mut items = Vec::new();
        for (at, _) in layout.match_indices("'label': <") {
            let rest = &layout[at + "'label': <".len()..];
            let quote = rest.chars().next().context("no label")?;
            let label = rest[1..].split(quote).next().unwrap_or_default().to_owned();
            let number = layout[..at].rsplit('(').next().and_then(|head| head.split(',').next());
            items.push((number.and_then(|number| number.trim().parse().ok()).context("not a number")?, label));
        }
        Ok(items)
    }

    /// Waits until an item of the tray menu is checked. The menu is updated asynchronously to the window.
    pub async fn is_checked_in_tray(&self, label: &str) -> Result<()> {
        let ticks = async {
            while !self.checked_in_tray(label).unwrap_or_default() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, ticks).await.with_context(|| format!("{label:?} was never checked in the tray menu"))
    }

    fn checked_in_tray(&self, label: &str) -> Result<bool> {
        let (bus, menu) = self.tray()?;
        let found = self.tray_menu()?.into_iter().find(|(_, text)| text.contains(label));
        let (number, _) = found.with_context(|| format!("no {label:?} in the tray menu"))?;
        let state = [&number.to_string(), "toggle-state"];
        Ok(self.call(&bus, &menu, "com.canonical.dbusmenu.GetProperty", &state)?.contains("<1>"))
    }

    /// Presses an item of the tray menu.
    pub fn press_in_tray(&self, label: &str) -> Result<()> {
        let items = self.tray_menu()?;
        let found = items.iter().find(|(_, text)| text.contains(label));
        let (number, _) = found.with_context(|| format!("no {label:?} in the tray menu: {items:?}"))?;
        let (bus, menu) = self.tray()?;
        let event = [&number.to_string(), "clicked", "<int32 0>", "0"];
        self.call(&bus, &menu, "com.canonical.dbusmenu.Event", &event).map(drop)
    }

    /// Waits until the tray menu has an item with this text.
    pub async fn tray_shows(&self, text: &str) -> Result<()> {
        let shows = async {
            // Poll, because only the panel receives the menu's change signals.
            while !self.tray_menu().unwrap_or_default().iter().any(|(_, label)| label.contains(text)) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        let menu = || format!("the tray never showed {text:?}: {:?}", self.tray_menu());
        timeout(DEADLINE, shows).await.with_context(menu)
    }

    /// Waits until this text stands beside the tray icon.
    pub async fn tray_label_is(&self, text: &str) -> Result<()> {
        let label = || -> Result<String> {
            let (bus, path) = self.tray_item()?;
            let get = "org.freedesktop.DBus.Properties.Get";
            let label = self.call(&bus, &path, get, &["org.kde.StatusNotifierItem", "XAyatanaLabel"])?;
            Ok(label.split('\'').nth(1).context("not a string")?.to_owned())
        };
        let shows = async {
            while !label().is_ok_and(|shown| shown == text) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, shows).await.with_context(|| format!("the tray's label is {:?}, not {text:?}", label()))
    }

    /// The bus name of the tray icon's owner, and the object path of its menu.
    fn tray(&self) -> Result<(String, String)> {
        let get = "org.freedesktop.DBus.Properties.Get";
        let (bus, path) = self.tray_item()?;
        let menu = self.call(&bus, &path, get, &["org.kde.StatusNotifierItem", "Menu"])?;
        Ok((bus, menu.split('\'').nth(1).context("no menu")?.to_owned()))
    }

    /// The bus name of the tray icon's owner, and the icon's object path.
    fn tray_item(&self) -> Result<(String, String)> {
        let watcher = "org.kde.StatusNotifierWatcher";
        let get = "org.freedesktop.DBus.Properties.Get";
        let items = self.call(watcher, "/StatusNotifierWatcher", get, &[watcher, "RegisteredStatusNotifierItems"])?;
        let item = items.split('\'').nth(1).context("no tray icon")?.to_owned();
        let at = item.find('/').context("no path")?;
        let (bus, path) = item.split_at(at);
        Ok((bus.to_owned(), path.to_owned()))
    }
}
