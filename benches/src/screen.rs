//! Watches the middle of a screen: when something was drawn there, and when the drawing came to rest.

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

/// How many colours a piece of page with text has at least; a blank window has one.
const COLOURS: usize = 12;
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// A picture that stays for so long is the last.
const REST: Duration = Duration::from_millis(1500);
const DEADLINE: Duration = Duration::from_mins(1);

/// What was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Painted {
    /// When there was text for the first time.
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
        let screen = connection.setup().roots.get(number).context("a screen")?;
        let (root, width, height) = (screen.root, screen.width_in_pixels, screen.height_in_pixels);
        // Three quarters of it: the panel stays outside.
        let (x, y) = (i16::try_from(width / 8)?, i16::try_from(height / 8)?);
        Ok(Self { connection, root, middle: (x, y, width / 4 * 3, height / 4 * 3) })
    }

    fn picture(&self) -> Result<Vec<u8>> {
        let (x, y, width, height) = self.middle;
        let all_planes = u32::MAX;
        let asked = self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, x, y, width, height, all_planes)?;
        Ok(asked.reply()?.data)
    }

    /// Waits until the screen's middle is blank: the window before is gone.
    pub(crate) fn blank(&self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while colours(&self.picture()?) > 1 {
            if Instant::now() > deadline {
                bail!("the window before stays");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Waits until text was drawn, and nothing has changed since for a while.
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
                if first.is_none() && colours(&picture) >= COLOURS {
                    first = Some(now);
                }
                shown = picture;
            }
            match first {
                Some(first) if now - last > REST => return Ok(Painted { first, last }),
                None if now > deadline => bail!("nothing was drawn"),
                _ => std::thread::sleep(LOOK),
            }
        }
    }
}

fn colours(picture: &[u8]) -> usize {
    picture.chunks_exact(4).collect::<HashSet<_>>().len()
}
