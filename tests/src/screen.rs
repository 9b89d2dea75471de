//! What is on a display's screen.

use anyhow::{Context, Result};
use x11rb::{
    COPY_FROM_PARENT, CURRENT_TIME,
    connection::Connection,
    protocol::xproto::{AtomEnum, ConnectionExt, CreateWindowAux, ImageFormat, Window, WindowClass},
    rust_connection::RustConnection,
};

/// The screen of a display.
#[derive(Debug)]
pub struct Screen {
    connection: RustConnection,
    root: Window,
}

impl Screen {
    pub fn of(display: &str) -> Result<Self> {
        let (connection, screen) = x11rb::connect(Some(display))?;
        let root = connection.setup().roots.get(screen).context("no screen")?.root;
        Ok(Self { connection, root })
    }

    /// Claims to be the display's compositor, so that programs use transparency. Nothing is drawn differently.
    pub fn claim_compositing(&self) -> Result<()> {
        let owner = self.connection.generate_id()?;
        let (kind, looks) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
        let parent = self.root;
        self.connection.create_window(0, owner, parent, 0, 0, 1, 1, 0, kind, COPY_FROM_PARENT, &looks)?.check()?;
        let compositor = self.connection.intern_atom(false, b"_NET_WM_CM_S0")?.reply()?.atom;
        Ok(self.connection.set_selection_owner(owner, compositor, CURRENT_TIME)?.check()?)
    }

    /// The opacity that a compositor is asked to draw a window with, from 0 to 1.
    pub fn opacity(&self, window: Window) -> Result<f64> {
        let name = self.connection.intern_atom(false, b"_NET_WM_WINDOW_OPACITY")?.reply()?.atom;
        let property = self.connection.get_property(false, window, name, AtomEnum::CARDINAL, 0, 1)?.reply()?;
        let value = property.value32().and_then(|mut values| values.next());
        Ok(value.map_or(1.0, |value| f64::from(value) / f64::from(u32::MAX)))
    }

    /// The colors (`0xrrggbb`) of a row of pixels.
    pub fn row(&self, x: i16, y: i16, width: u16) -> Result<Vec<u32>> {
        let image = self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, x, y, width, 1, !0)?.reply()?;
        let pixels = image.data.chunks_exact(4);
        Ok(pixels.map(|pixel| u32::from_le_bytes([pixel[0], pixel[1], pixel[2], 0])).collect())
    }
}
