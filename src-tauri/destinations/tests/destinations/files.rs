//! The folder that the person allowed.

use std::fs;

use relink_destinations::Files;
use relink_sync::DeliveryError;
use serde_json::json;

use crate::world::{World, batch, deliver, file};

#[tokio::test]
async fn a_path_makes_private_folders_and_files() {
    let world = World::new();
    for format in ["jsonl", "sqlite"] {
        world.deliver(batch(1, &file(&format!("a/b/{format}"), format), &["{\"id\":1}"])).await.expect("delivers");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |name: &str| fs::metadata(world.path(name)).expect("exists").permissions().mode() & 0o777;
            assert_eq!((mode("a"), mode("a/b"), mode(&format!("a/b/{format}"))), (0o700, 0o700, 0o600));
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_leads_nowhere() {
    let world = World::new();
    let outside = tempfile::tempdir().expect("makes a folder");
    let target = outside.path().join("target");
    fs::write(&target, "").expect("writes");
    std::os::unix::fs::symlink(&target, world.path("file")).expect("links");
    std::os::unix::fs::symlink(outside.path(), world.path("folder")).expect("links");
    for format in ["jsonl", "sqlite", "parquet"] {
        for path in ["file", "folder/x", "folder/y/x"] {
            let message = world.refused(batch(1, &file(path, format), &["{\"id\":1}"])).await;
            assert!(message.contains("is a link, and could lead out of the folder"), "{message}");
        }
    }
    assert_eq!(fs::read_to_string(&target).expect("reads"), "");
    assert_eq!(crate::world::names_in(outside.path()), ["target"]);
}

#[tokio::test]
async fn what_cannot_be_written_to_is_said() {
    let world = World::new();
    fs::create_dir(world.path("folder")).expect("makes a folder");
    fs::write(world.path("text"), "no database, but a text that is long enough for one\n".repeat(9)).expect("writes");
    fs::write(world.path("binary"), b"SQLite format 3\0").expect("writes");
    for (path, format, expected) in [
        ("folder", "jsonl", "folder isn't a file, so nothing was written. Move it away, or choose another path"),
        ("folder", "sqlite", "folder isn't a file, so nothing was written."),
        ("text/x", "jsonl", "text isn't a folder, so nothing was written."),
        ("text", "parquet", "text isn't a folder, so nothing was written."),
        ("text", "sqlite", "text isn't an SQLite database, so nothing was written. Move it away"),
        ("binary", "jsonl", "binary isn't a text file, so no lines were added to it."),
        (".x.relink", "jsonl", ".x.relink is a name that Relink uses beside its files."),
        ("../x", "jsonl", "The destination's config.path must be relative to the folder that you allowed"),
    ] {
        let message = world.refused(batch(1, &file(path, format), &["{\"id\":1}"])).await;
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn a_folder_that_vanished_is_not_made_again() {
    let world = World::new();
    let drive = world.path("drive");
    let files = Files::new(drive.clone());
    let lines = file("x.jsonl", "jsonl");
    let expected = "isn't there any more, so the batch can't be written. If it is on a drive, connect the drive";
    for place in [1, 2] {
        let Err(DeliveryError::Failed(error)) = deliver(&files, batch(place, &lines, &["1"])).await else {
            panic!("it must fail");
        };
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains("drive isn't there"), "{message}");
        assert!(message.contains(expected), "{message}");
        assert_eq!((&error["statusCode"], &error["code"]), (&json!(500), &json!("destination_missing")));
        assert!(!drive.exists());
    }
    fs::create_dir(&drive).expect("makes a folder");
    deliver(&files, batch(2, &lines, &["2"])).await.expect("delivers");
    assert_eq!(world.text("drive/x.jsonl"), "2\n");
}

/// A disk that is always full.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_said_and_leaves_whole_batches() {
    use std::process::Command;

    // Given: a disk of 1 MiB, which only root can make.
    let world = World::new();
    let disk = world.path("disk");
    fs::create_dir(&disk).expect("makes a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|it| it.status.success()) {
        println!("skipped: only root can mount a disk");
        return;
    }
    let files = Files::new(disk.clone());
    let record = format!("{{\"text\":\"{}\"}}", "x".repeat(9000));
    for format in ["jsonl", "sqlite"] {
        // When: batches come until it is full
        let config = file(format, format);
        let mut delivered = 0;
        let failed = loop {
            match deliver(&files, batch(delivered, &config, &[record.as_str(); 7])).await {
                Ok(()) => delivered += 1,
                Err(error) => break error,
            }
        };
        // Then
        let DeliveryError::Failed(error) = failed else { panic!("{failed:?}") };
        assert_eq!((&error["statusCode"], &error["code"]), (&json!(507), &json!("destination_full")), "{error}");
        let records = if format == "jsonl" {
            fs::read_to_string(disk.join(format)).expect("reads").lines().count() as u64
        } else {
            let database = rusqlite::Connection::open(disk.join(format)).expect("opens");
            let count = database.query_row("SELECT count(*) FROM crm_contacts", [], |row| row.get::<_, i64>(0));
            count.expect("counts").cast_unsigned()
        };
        assert_eq!(records, delivered * 7, "{format}");
        files.finish(crate::world::run(1)).await;
        for name in crate::world::names_in(&disk) {
            fs::remove_file(disk.join(name)).expect("removes");
        }
    }
    let unmounted = Command::new("umount").arg(&disk).status();
    assert!(unmounted.is_ok_and(|it| it.success()));
}
