//! Where a run is (`relink_sync::Journal`).

use relink_domain::SyncJobRunId;
use relink_sync::{Commit, RecordError, Saved, Task, Top};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::value::RawValue;

use crate::store::{Result, document};

/// What is kept of a run. None: it is new.
pub fn load(connection: &Connection, run: SyncJobRunId) -> Result<Option<Saved>> {
    let run = run.to_string();
    let head = connection
        .prepare_cached("SELECT head, next_task FROM sync_run_head WHERE run_id = ?1")?
        .query_row([&run], |row| Ok((document(row.get_ref(0)?.as_str()?)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let Some((head, next_task)) = head else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT task, place FROM sync_run_task AS task JOIN sync_run_place AS place
           ON place.run_id = task.run_id AND place.position = task.position
         WHERE task.run_id = ?1 ORDER BY task.position",
    )?;
    let tasks = statement.query_map([&run], |row| {
        let task: Task = document(row.get_ref(0)?.as_str()?)?;
        Ok(Task { place: document(row.get_ref(1)?.as_str()?)?, ..task })
    })?;
    let tasks = tasks.collect::<rusqlite::Result<_>>()?;
    Ok(Some(Saved { head, next_task: u64::try_from(next_task).unwrap_or_default(), tasks }))
}

/// Keeps what a step leads to, but for its states, counts and errors.
pub fn commit(tx: &Transaction<'_>, id: SyncJobRunId, commit: &Commit) -> Result<()> {
    let run = id.to_string();
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    if commit.clear {
        clear(tx, &run)?;
    }
    let mut height = height(tx, &run)?;
    match &commit.top {
        Top::Kept => {}
        Top::Moved(place) => {
            tx.prepare_cached("UPDATE sync_run_place SET place = ?3 WHERE run_id = ?1 AND position = ?2")?
                .execute(params![run, height - 1, serde_json::to_string(place)?])?;
        }
        Top::Done => {
            height -= 1;
            for table in ["sync_run_task", "sync_run_place"] {
                tx.prepare_cached(&format!("DELETE FROM {table} WHERE run_id = ?1 AND position = ?2"))?
                    .execute(params![run, height])?;
            }
        }
    }
    for task in &commit.push {
        tx.prepare_cached("INSERT INTO sync_run_task (run_id, position, task) VALUES (?1, ?2, ?3)")?
            .execute(params![run, height, serde_json::to_string(task)?])?;
        tx.prepare_cached("INSERT INTO sync_run_place (run_id, position, place) VALUES (?1, ?2, ?3)")?
            .execute(params![run, height, serde_json::to_string(&task.place)?])?;
        height += 1;
    }
    let head = commit.head.as_ref().map(serde_json::to_string).transpose()?;
    tx.prepare_cached(
        "INSERT INTO sync_run_head (run_id, head, next_task) VALUES (?1, coalesce(?2, ?4), ?3)
         ON CONFLICT (run_id) DO UPDATE SET head = coalesce(?2, head), next_task = ?3",
    )?
    .execute(params![
        run,
        head,
        number(commit.next_task),
        serde_json::to_string(&relink_sync::Head::default())?
    ])?;
    for spooled in &commit.spooled {
        tx.prepare_cached("INSERT INTO sync_run_spool (run_id, spool, records) VALUES (?1, ?2, ?3)")?
            .execute(params![run, place_of(spooled.spool), serde_json::to_string(&spooled.records)?])?;
    }
    if let Some(spool) = commit.released {
        tx.prepare_cached("DELETE FROM sync_run_spool WHERE run_id = ?1 AND spool = ?2")?
            .execute(params![run, place_of(spool)])?;
    }
    Ok(())
}

/// How many tasks there are.
fn height(tx: &Transaction<'_>, run: &str) -> Result<i64> {
    let mut statement =
        tx.prepare_cached("SELECT coalesce(max(position) + 1, 0) FROM sync_run_place WHERE run_id = ?1")?;
    Ok(statement.query_row([run], |row| row.get(0))?)
}

fn place_of(spool: usize) -> i64 {
    i64::try_from(spool).unwrap_or(i64::MAX)
}

/// The records of a spool, in their order.
pub fn spooled(connection: &Connection, run: SyncJobRunId, spool: usize) -> Result<Vec<Box<RawValue>>> {
    let mut statement = connection
        .prepare_cached("SELECT records FROM sync_run_spool WHERE run_id = ?1 AND spool = ?2 ORDER BY seq")?;
    let mut rows = statement.query(params![run.to_string(), place_of(spool)])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let batch: Vec<Box<RawValue>> = serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        records.extend(batch);
    }
    Ok(records)
}

/// Keeps errors that are sent together at the end.
pub fn add_errors(tx: &Transaction<'_>, run: SyncJobRunId, errors: &[RecordError]) -> Result<()> {
    for error in errors {
        tx.prepare_cached("INSERT INTO sync_run_error (run_id, error) VALUES (?1, ?2)")?
            .execute(params![run.to_string(), serde_json::to_string(error)?])?;
    }
    Ok(())
}

/// Some of the errors that were kept, oldest first, after the first ones.
pub fn errors(connection: &Connection, run: SyncJobRunId, after: usize, limit: usize) -> Result<Vec<RecordError>> {
    let mut statement = connection
        .prepare_cached("SELECT error FROM sync_run_error WHERE run_id = ?1 ORDER BY seq LIMIT ?2 OFFSET ?3")?;
    let chosen = params![run.to_string(), place_of(limit), place_of(after)];
    let rows = statement.query_map(chosen, |row| document(row.get_ref(0)?.as_str()?))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps where a stopped run is, so that it can be resumed. Its errors were sent.
pub fn keep(tx: &Transaction<'_>, run: SyncJobRunId) -> Result<()> {
    tx.prepare_cached("INSERT OR IGNORE INTO sync_run_head (run_id, head, next_task) VALUES (?1, ?2, 0)")?
        .execute(params![run.to_string(), serde_json::to_string(&relink_sync::Head::default())?])?;
    tx.prepare_cached("DELETE FROM sync_run_error WHERE run_id = ?1")?.execute([run.to_string()])?;
    Ok(())
}

/// Whether it is known where a run is.
pub fn is_kept(connection: &Connection, run: SyncJobRunId) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM sync_run_head WHERE run_id = ?1")?;
    Ok(statement.exists([run.to_string()])?)
}

/// Removes all that a run needed to go on.
pub fn forget(tx: &Transaction<'_>, run: SyncJobRunId) -> Result<()> {
    let run = run.to_string();
    clear(tx, &run)?;
    for table in ["sync_run_head", "sync_run_error"] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE run_id = ?1"))?.execute([&run])?;
    }
    Ok(())
}

fn clear(tx: &Transaction<'_>, run: &str) -> Result<()> {
    for table in ["sync_run_task", "sync_run_place", "sync_run_spool"] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE run_id = ?1"))?.execute([run])?;
    }
    Ok(())
}
