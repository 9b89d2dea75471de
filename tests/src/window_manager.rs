//! Communicates with a display's window manager, as panels do (Extended Window Manager Hints).

use anyhow::{Context, Result};
use x11rb::{
    connection::Connection,
    protocol::xproto::{AtomEnum, ChangeWindowAttributesAux, ClientMessageEvent, ConnectionExt, EventMask, Window},
    rust_connection::RustConnection,
};

/// Waits until the window manager is running. A window that is opened earlier would stay unmanaged.
pub fn wait_until_managed(display: &str) -> Result<()> {
    let (connection, root) = connect(display)?;
    let watched = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
    connection.change_window_attributes(root, &watched)?.check()?;
    let check = atom(&connection, "_NET_SUPPORTING_WM_CHECK")?;
    while connection.get_property(false, root, check, AtomEnum::WINDOW, 0, 1)?.reply()?.value_len == 0 {
        connection.wait_for_event()?;
    }
    Ok(())
}

/// Asks the window manager to close a window, as its button in a panel does.
pub fn close(display: &str, window: Window) -> Result<()> {
    let (connection, root) = connect(display)?;
    let closes = atom(&connection, "_NET_CLOSE_WINDOW")?;
    // No timestamp; source indication 2: a direct user action.
    let message = ClientMessageEvent::new(32, window, closes, [0, 2, 0, 0, 0]);
    let manager = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
    Ok(connection.send_event(false, root, manager, message)?.check()?)
}

fn connect(display: &str) -> Result<(RustConnection, Window)> {
    let (connection, screen) = x11rb::connect(Some(display))?;
    let root = connection.setup().roots.get(screen).context("no screen")?.root;
    Ok((connection, root))
}

fn atom(connection: &RustConnection, name: &str) -> Result<u32> {
    Ok(connection.intern_atom(false, name.as_bytes())?.reply()?.atom)
}
