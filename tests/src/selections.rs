//! Reads the selections (clipboards) of a display.

use anyhow::{Context, Result};
use x11rb::{
    COPY_DEPTH_FROM_PARENT, CURRENT_TIME, NONE,
    connection::Connection,
    protocol::{
        Event,
        xproto::{AtomEnum, ConnectionExt, CreateWindowAux, WindowClass},
    },
};

/// The texts of the clipboard and the two other selections, one per line. Waits until their owners respond.
pub fn read(display: &str) -> Result<String> {
    let (connection, screen) = x11rb::connect(Some(display))?;
    let root = connection.setup().roots.get(screen).context("no screen")?.root;
    // The owner of a selection writes it to a property of the requesting window.
    let window = connection.generate_id()?;
    let (kind, looks) = (WindowClass::INPUT_OUTPUT, CreateWindowAux::new());
    connection.create_window(COPY_DEPTH_FROM_PARENT, window, root, 0, 0, 1, 1, 0, kind, NONE, &looks)?;
    let atom = |name: &[u8]| anyhow::Ok(connection.intern_atom(false, name)?.reply()?.atom);
    let (text, property) = (atom(b"UTF8_STRING")?, atom(b"RELINK_TESTS")?);
    let mut all = String::new();
    for selection in [atom(b"CLIPBOARD")?, AtomEnum::PRIMARY.into(), AtomEnum::SECONDARY.into()] {
        if connection.get_selection_owner(selection)?.reply()?.owner == NONE {
            continue;
        }
        connection.convert_selection(window, selection, text, property, CURRENT_TIME)?;
        connection.flush()?;
        loop {
            if let Event::SelectionNotify(_) = connection.wait_for_event()? {
                break;
            }
        }
        let reply = connection.get_property(true, window, property, AtomEnum::ANY, 0, u32::from(u16::MAX))?.reply()?;
        all.push_str(&String::from_utf8_lossy(&reply.value));
        all.push('\n');
    }
    Ok(all)
}
