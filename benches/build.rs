//! Tauri's part of the empty app.

fn main() {
    tauri_build::build();
}
