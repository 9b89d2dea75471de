//! Copies one account many times within a database that the program itself has created. Reads the column names from the
//! database, so that earlier versions of the program can be measured too.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;

/// The number of rows of each kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) accounts: usize,
    pub(crate) timeline: usize,
    pub(crate) deliveries: usize,
}

/// The prefix of the ids of all copies.
const PREFIX: &str = "01900000-0000-7000-8000-";

/// Copies one account, its newest timeline entry (spread over all accounts) and its newest delivery, up to these sizes.
pub(crate) fn copy_accounts(database: &Path, account: &str, sizes: Sizes) -> Result<()> {
    let mut connection = Connection::open(database)?;
    let transaction = connection.transaction()?;
    let id = format!("printf('{PREFIX}%012x', n.i)");
    let copies = sizes.accounts.saturating_sub(1);
    let of_account = format!("id = '{account}'");
    let document = format!("replace(o.document, o.id, {id})");
    copy(
        &transaction,
        "integrated_account",
        &of_account,
        copies,
        &[("id", &id), ("document", &document), ("last_used_at", "NULL")],
    )?;

    let newest = format!("seq = (SELECT max(seq) FROM timeline WHERE account_id = '{account}')");
    let owner = format!("printf('{PREFIX}%012x', 1 + n.i % {})", copies.max(1));
    copy(&transaction, "timeline", &newest, sizes.timeline, &[("seq", "NULL"), ("account_id", &owner)])?;

    let newest = "seq = (SELECT max(outbox_seq) FROM delivery)";
    let event = [("seq", "NULL"), ("id", id.as_str()), ("subject", id.as_str())];
    copy(&transaction, "outbox", newest, sizes.deliveries, &event)?;
    let delivery = [
        ("id", id.as_str()),
        ("outbox_seq", &format!("(SELECT seq FROM outbox WHERE id = {id})")),
        ("subject", id.as_str()),
        // Pending ones would be delivered while something else is measured.
        ("state", "'delivered'"),
        ("eligible", "0"),
    ];
    let newest = format!("outbox_seq = (SELECT max(outbox_seq) FROM delivery WHERE id NOT LIKE '{PREFIX}%')");
    copy(&transaction, "delivery", &newest, sizes.deliveries, &delivery)?;
    transaction.commit()?;
    Ok(())
}

/// Marks the copied deliveries as pending. Each is the only one of its subject, and so the one that may be tried.
pub(crate) fn make_deliveries_pending(database: &Path) -> Result<()> {
    let connection = Connection::open(database)?;
    let eligible =
        if columns(&connection, "delivery")?.iter().any(|name| name == "eligible") { ", eligible = 1" } else { "" };
    let changed = connection.execute(
        &format!("UPDATE delivery SET state = 'pending', tries = 0, next_try = 0{eligible} WHERE id LIKE '{PREFIX}%'"),
        [],
    )?;
    ensure!(changed > 0, "there are no copied deliveries");
    Ok(())
}

/// Inserts `count` copies of one row, numbered `n.i` starting at 1, with these columns replaced.
fn copy(connection: &Connection, table: &str, which: &str, count: usize, replaced: &[(&str, &str)]) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let columns = columns(connection, table)?;
    let values: Vec<String> = columns
        .iter()
        .map(|column| {
            let value = replaced.iter().find(|(name, _)| name == column);
            value.map_or_else(|| format!("o.\"{column}\""), |(_, value)| (*value).to_owned())
        })
        .collect();
    let quoted: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    let inserted = connection
        .execute(
            &format!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
                 INSERT INTO {table} ({}) SELECT {} FROM n, (SELECT * FROM {table} WHERE {which}) AS o",
                quoted.join(", "),
                values.join(", "),
            ),
            [],
        )
        .with_context(|| format!("cannot copy rows of {table}"))?;
    ensure!(inserted == count, "{inserted} of {count} rows were copied into {table}");
    Ok(())
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}
