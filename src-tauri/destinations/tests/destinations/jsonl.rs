//! JSON Lines.

use std::{fs, io::Write as _};

use crate::world::{Batch, World, batch, file, run};

#[tokio::test]
async fn records_are_lines_and_the_ledger_goes_with_the_run() {
    let world = World::new();
    let lines = file("x.jsonl", "jsonl");
    world.deliver(batch(1, &lines, &["{\"id\": 1}", "{\n  \"id\": 2\n}"])).await.expect("delivers");
    world.deliver(batch(2, &lines, &["[3]"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "{\"id\": 1}\n{\"id\": 2}\n[3]\n");
    assert_eq!(world.names(), [".x.jsonl.relink", "x.jsonl"]);
    world.files.finish(run(1)).await;
    assert_eq!(world.names(), ["x.jsonl"]);
}

#[tokio::test]
async fn a_batch_that_comes_again_is_not_written_again() {
    let mut world = World::new();
    let lines = file("x.jsonl", "jsonl");
    for _ in 0..2 {
        for place in [1, 2] {
            world.deliver(batch(place, &lines, &[&place.to_string()])).await.expect("delivers");
            world.deliver(Batch { run: 2, ..batch(place, &lines, &["9"]) }).await.expect("delivers");
        }
        assert_eq!(world.text("x.jsonl"), "1\n9\n2\n9\n");
        world.crash();
    }
    // One of two runs that share the file is over: the other one's batches may still come again.
    world.deliver(batch(3, &lines, &["3"])).await.expect("delivers");
    world.files.finish(run(1)).await;
    world.deliver(Batch { run: 2, ..batch(2, &lines, &["9"]) }).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "1\n9\n2\n9\n3\n");
    world.files.finish(run(2)).await;
    assert_eq!(world.names(), ["x.jsonl"]);
}

#[tokio::test]
async fn a_batch_whose_page_has_changed_replaces_its_earlier_version() {
    let mut world = World::new();
    let lines = file("x.jsonl", "jsonl");
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    world.deliver(batch(2, &lines, &["2", "3"])).await.expect("delivers");
    // Given: Relink was killed before the run knew of the second batch, and a record was added at the provider
    world.crash();
    for _ in 0..2 {
        world.deliver(batch(2, &lines, &["4"])).await.expect("delivers");
        assert_eq!(world.text("x.jsonl"), "1\n4\n");
        world.crash();
    }
    // Another run's batch is behind it: nothing of that is lost.
    world.deliver(Batch { run: 2, ..batch(1, &lines, &["9"]) }).await.expect("delivers");
    for _ in 0..2 {
        world.deliver(batch(2, &lines, &["4", "5"])).await.expect("delivers");
        assert_eq!(world.text("x.jsonl"), "1\n4\n9\n4\n5\n");
    }
    // What was cut off is known as such by whoever reads the ledger.
    world.deliver(batch(2, &lines, &["6"])).await.expect("delivers");
    world.crash();
    world.deliver(batch(3, &lines, &["7"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "1\n4\n9\n6\n7\n");
}

/// A crash after the earlier version was taken out of the ledger, before it was cut off.
#[tokio::test]
async fn a_crash_while_a_batch_is_replaced_leaves_its_new_version() {
    let mut world = World::new();
    let lines = file("x.jsonl", "jsonl");
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    world.crash();
    append(&world, ".x.jsonl.relink", b"{\"open\":{\"length\":2}}\n");
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "1\n2\n");
}

#[tokio::test]
async fn a_batch_of_a_file_that_was_emptied_is_written_again() {
    let world = World::new();
    let lines = file("x.jsonl", "jsonl");
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    fs::write(world.path("x.jsonl"), "9\n").expect("writes");
    world.deliver(batch(2, &lines, &["3"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "9\n3\n");
}

#[tokio::test]
async fn runs_at_the_same_time_share_a_file() {
    let world = World::new();
    let lines = file("x.jsonl", "jsonl");
    let mut tasks = tokio::task::JoinSet::new();
    for run in 0..8 {
        let (files, lines) = (world.files.clone(), lines.clone());
        tasks.spawn(async move {
            for place in 0..20 {
                let records = vec![format!("[{run},{place}]"); 3];
                let batch = Batch { run, place, resource: "x", config: lines.clone(), records };
                crate::world::deliver(&files, batch).await.expect("delivers");
            }
        });
    }
    tasks.join_all().await;
    let text = world.text("x.jsonl");
    let mut written: Vec<&str> = text.lines().collect();
    // Each batch stands together.
    assert!(written.chunks(3).all(|batch| batch[0] == batch[1] && batch[1] == batch[2]));
    written.sort_unstable();
    written.dedup();
    assert_eq!((written.len(), text.lines().count()), (160, 480));
}

/// Each state that a crash or a loss of power can leave: a part of the batch, and of its entry in the ledger.
#[tokio::test]
async fn what_a_crash_leaves_of_a_batch_is_cut_off() {
    let lines = file("x.jsonl", "jsonl");
    let third = "{\"id\":3}\n{\"id\":4}\n";
    let records = ["{\"id\":3}", "{\"id\":4}"];
    // Given: what the ledger has after the third batch
    let entry = {
        let world = World::new();
        world.deliver(batch(1, &lines, &["{\"id\":1}"])).await.expect("delivers");
        world.deliver(batch(2, &lines, &["{\"id\":2}"])).await.expect("delivers");
        world.deliver(batch(3, &lines, &records)).await.expect("delivers");
        world.text(".x.jsonl.relink").lines().last().expect("an entry").to_owned() + "\n"
    };
    for of_data in 0..=third.len() {
        let is_whole = of_data == third.len();
        for of_entry in (0..=entry.len()).filter(|part| is_whole || [0, entry.len()].contains(part)) {
            let mut world = World::new();
            world.deliver(batch(1, &lines, &["{\"id\":1}"])).await.expect("delivers");
            world.deliver(batch(2, &lines, &["{\"id\":2}"])).await.expect("delivers");
            world.crash();
            append(&world, "x.jsonl", &third.as_bytes()[..of_data]);
            append(&world, ".x.jsonl.relink", &entry.as_bytes()[..of_entry]);
            // When
            world.deliver(batch(3, &lines, &records)).await.expect("delivers");
            // Then
            let expected = format!("{{\"id\":1}}\n{{\"id\":2}}\n{third}");
            assert_eq!(world.text("x.jsonl"), expected, "{of_data} {of_entry}");
            world.crash();
            world.deliver(batch(3, &lines, &records)).await.expect("delivers");
            assert_eq!(world.text("x.jsonl"), expected, "{of_data} {of_entry}");
        }
    }
}

/// A loss of power while the disk has the length of the batch already, and not what is in it.
#[tokio::test]
async fn a_batch_that_the_disk_lost_is_written_again() {
    let mut world = World::new();
    let lines = file("x.jsonl", "jsonl");
    world.deliver(batch(1, &lines, &["\"the first record\""])).await.expect("delivers");
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    world.crash();
    fs::write(world.path("x.jsonl"), "\"the first record\"\n\0\0").expect("writes");
    // The run's journal, which is written after the batch is on the disk, doesn't have it.
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "\"the first record\"\n2\n");
}

#[tokio::test]
async fn what_others_wrote_stays() {
    let world = World::new();
    let lines = file("x.jsonl", "jsonl");
    // Before, without a line feed.
    fs::write(world.path("x.jsonl"), "\"theirs\"").expect("writes");
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    // Between two batches.
    append(&world, "x.jsonl", b"\"theirs\"\n");
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "\"theirs\"\n1\n\"theirs\"\n2\n");
}

#[tokio::test]
async fn what_others_append_while_relink_is_not_running_stays() {
    let mut world = World::new();
    let lines = file("x.jsonl", "jsonl");
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    // Given: Relink was quit in the middle of the run
    world.files = relink_destinations::Files::new(world.path(""));
    append(&world, "x.jsonl", b"\"theirs\"\n");
    // When: the run goes on, with its last batch again
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "1\n\"theirs\"\n2\n");
}

#[tokio::test]
async fn a_file_that_was_removed_begins_again() {
    let world = World::new();
    let lines = file("x.jsonl", "jsonl");
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    fs::remove_file(world.path("x.jsonl")).expect("removes");
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "2\n");
}

#[tokio::test]
async fn more_files_than_can_be_open_are_written_to() {
    let world = World::new();
    for place in 0..3 {
        for name in 0..40 {
            let lines = file(&format!("{name}.jsonl"), "jsonl");
            world.deliver(batch(place, &lines, &[&place.to_string()])).await.expect("delivers");
            // Again, perhaps after the file was closed.
            world.deliver(batch(0, &lines, &["0"])).await.expect("delivers");
        }
    }
    for name in 0..40 {
        assert_eq!(world.text(&format!("{name}.jsonl")), "0\n1\n2\n");
    }
}

fn append(world: &World, name: &str, bytes: &[u8]) {
    let mut file = fs::File::options().append(true).open(world.path(name)).expect("opens");
    file.write_all(bytes).expect("writes");
}

#[tokio::test]
async fn a_run_that_rests_keeps_its_ledger_and_no_file_open() {
    let world = World::new();
    let lines = file("x.jsonl", "jsonl");
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    // When: it is stopped, and a person adds a line
    world.files.rest(run(1)).await;
    let mut text = fs::OpenOptions::new().append(true).open(world.path("x.jsonl")).expect("opens");
    text.write_all(b"\"mine\"\n").expect("writes");
    // Then: resumed, its batch that comes again is there once, and the person's line stays
    world.deliver(batch(1, &lines, &["1"])).await.expect("delivers");
    world.deliver(batch(2, &lines, &["2"])).await.expect("delivers");
    assert_eq!(world.text("x.jsonl"), "1\n\"mine\"\n2\n");
    world.files.finish(run(1)).await;
    assert_eq!(world.names(), ["x.jsonl"]);
}
