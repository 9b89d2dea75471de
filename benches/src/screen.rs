//! Watches the middle of a screen: measures when text first appears there, and when the picture stops changing.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use x11rb::{
    connection::Connection,
    protocol::xproto::{ConnectionExt, ImageFormat},
    rust_connection::RustConnection,
};

/// The minimum number of colors of a page with text. A blank window has one color.
const MIN_COLORS: usize = 12;
/// How often the screen is captured.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// A picture that hasn't changed for this long counts as final.
const STILL_PERIOD: Duration = Duration::from_millis(1500);
const DEADLINE: Duration = Duration::from_mins(1);

/// When the content of a window appeared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Painted {
    /// When text appeared for the first time.
    pub(crate) first: Instant,
    /// When the picture changed for the last time.
    pub(crate) last: Instant,
}

/// A connection to a display.
#[derive(Debug)]
pub(crate) struct Screen {
    connection: RustConnection,
    root: u32,
    middle: (i16, i16, u16, u16),
}

impl Screen {
    pub(crate) fn open(display: &str) -> Result<Self> {
        let (connection, number) = x11rb::connect(Some(display))?;
        let screen = connection.setup().roots.get(number).context("no screen")?;
        let (root, width, height) = (screen.root, screen.width_in_pixels, screen.height_in_pixels);
        // Three quarters of the screen, which excludes the panel.
        let (x, y) = (i16::try_from(width / 8)?, i16::try_from(height / 8)?);
        Ok(Self { connection, root, middle: (x, y, width / 4 * 3, height / 4 * 3) })
    }

    fn picture(&self) -> Result<Vec<u8>> {
        let (x, y, width, height) = self.middle;
        let all_planes = u32::MAX;
        let asked = self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, x, y, width, height, all_planes)?;
        Ok(asked.reply()?.data)
    }

    /// Waits until the middle of the screen is blank, so that no earlier window is visible.
    pub(crate) fn blank(&self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while count_colors(&self.picture()?) > 1 {
            if Instant::now() > deadline {
                bail!("the earlier window is still visible");
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Waits until text has been drawn and the picture has stopped changing.
    pub(crate) fn painted(&self) -> Result<Painted> {
        let deadline = Instant::now() + DEADLINE;
        let mut first = None;
        let mut last = Instant::now();
        let mut shown = Vec::new();
        loop {
            let picture = self.picture()?;
            let now = Instant::now();
            if picture != shown {
                last = now;
                if first.is_none() && count_colors(&picture) >= MIN_COLORS {
                    first = Some(now);
                }
                shown = picture;
            }
            match first {
                Some(first) if now - last > STILL_PERIOD => return Ok(Painted { first, last }),
                None if now > deadline => bail!("nothing was drawn"),
                _ => std::thread::sleep(POLL_INTERVAL),
            }
        }
    }
}

fn count_colors(picture: &[u8]) -> usize {
    picture.chunks_exact(4).collect::<HashSet<_>>().len()
}
