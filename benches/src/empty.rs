//! The baseline app: the cost of Tauri itself. Shows a tray icon and, with `--window`, one window with a page of text.

use tauri::{
    RunEvent, WebviewUrl, WebviewWindowBuilder,
    image::Image,
    menu::{Menu, MenuItem},
    tray::TrayIconBuilder,
};

fn main() -> tauri::Result<()> {
    let with_window = std::env::args().any(|argument| argument == "--window");
    tauri::Builder::default()
        .setup(move |app| {
            let quit = MenuItem::with_id(app, "quit", "Quit", true, None::<&str>)?;
            TrayIconBuilder::new()
                .icon(Image::from_bytes(include_bytes!("../../icons/tray.png"))?)
                .menu(&Menu::with_items(app, &[&quit])?)
                .on_menu_event(|app, _| app.exit(0))
                .build(app)?;
            if with_window {
                // The size of Relink's window.
                WebviewWindowBuilder::new(app, "main", WebviewUrl::default())
                    .title("Relink")
                    .inner_size(1120.0, 720.0)
                    .center()
                    .build()?;
            }
            Ok(())
        })
        .build(tauri::generate_context!())?
        .run(|_, event| {
            if let RunEvent::ExitRequested { code: None, api, .. } = event {
                api.prevent_exit();
            }
        });
    Ok(())
}
