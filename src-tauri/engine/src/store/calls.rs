//! Calls that programs made: each account's last ones, and how many there were on each day.

use relink_domain::{
    AccountId, ApiTokenId, Timestamp,
    call::{Call, Day, Program, Usage},
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction, params, params_from_iter, types::Value};

use super::{Result, document, id, limit_clause};

/// A recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// Its place in the order in which calls ended.
    pub seq: i64,
    pub account_id: AccountId,
    pub call: Call,
}

/// The calls of a program with an account on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayOfProgram {
    pub day: Day,
    pub program: Program,
    pub usage: Usage,
}

/// Which recorded calls to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct CallQuery {
    /// `None`: of all accounts; empty: of none.
    pub accounts: Option<Vec<AccountId>>,
    /// Only calls that began after this time.
    pub after: Option<Timestamp>,
    /// Only calls that began before this time.
    pub before: Option<Timestamp>,
    /// Only calls after this place in the list: its time and its sequence number.
    pub place: Option<(Timestamp, i64)>,
}

/// Adds calls of an account, oldest first, and keeps the newest `most` of it. Nothing happens if the account is gone.
pub fn add(tx: &Transaction<'_>, account: AccountId, calls: &[Call], most: usize) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO call (account_id, at, document)
         SELECT id, ?2, ?3 FROM integrated_account WHERE id = ?1",
    )?;
    let account = account.to_string();
    for call in calls {
        insert.execute(params![account, call.at.as_millis(), serde_json::to_string(call)?])?;
    }
    tx.prepare_cached(
        "DELETE FROM call WHERE account_id = ?1 AND seq <=
           (SELECT seq FROM call WHERE account_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![account, limit_clause(Some(most))])?;
    Ok(())
}

/// Adds to a day of an account and a program. Nothing happens if the account is gone.
pub fn add_usage(tx: &Transaction<'_>, account: AccountId, added: &DayOfProgram) -> Result<()> {
    let (account, program) = (account.to_string(), added.program.key());
    let stored = tx
        .prepare_cached(
            "SELECT calls, errors, latency, last_at FROM call_usage
             WHERE account_id = ?1 AND day = ?2 AND api_token_id = ?3",
        )?
        .query_row(params![account, added.day.number(), program], |row| usage(row, 0))
        .optional()?;
    let mut sum = stored.unwrap_or_default();
    sum.merge(&added.usage);
    let values: [&dyn ToSql; 8] = [
        &account,
        &added.day.number(),
        &program,
        &added.program.name,
        &number(sum.calls),
        &number(sum.errors),
        &serde_json::to_string(&sum.latency)?,
        &sum.last_at.unwrap_or(Timestamp::from_millis(0)).as_millis(),
    ];
    tx.prepare_cached(
        "INSERT INTO call_usage (account_id, day, api_token_id, name, calls, errors, latency, last_at)
         SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM integrated_account WHERE id = ?1
         ON CONFLICT (account_id, day, api_token_id) DO UPDATE SET name = excluded.name, calls = excluded.calls,
           errors = excluded.errors, latency = excluded.latency, last_at = excluded.last_at",
    )?
    .execute(values)?;
    Ok(())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The columns `calls, errors, latency, last_at`, from the column `first` on.
fn usage(row: &Row<'_>, first: usize) -> rusqlite::Result<Usage> {
    let count = |column| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0));
    Ok(Usage {
        calls: count(first)?,
        errors: count(first + 1)?,
        latency: document(row.get_ref(first + 2)?.as_str()?)?,
        last_at: Some(Timestamp::from_millis(row.get(first + 3)?)),
    })
}

/// Recorded calls, newest first.
pub fn list(connection: &Connection, query: &CallQuery, limit: usize) -> Result<Vec<RecordedCall>> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    // An account has few calls, so those of some accounts are sorted after they were found.
    let index = if query.accounts.is_some() { "call_account" } else { "call_at" };
    if let Some(accounts) = &query.accounts {
        conditions.push("account_id IN (SELECT value FROM json_each(?))");
        values.push(Value::from(serde_json::to_string(accounts)?));
    }
    if let Some(after) = query.after {
        conditions.push("at > ?");
        values.push(after.as_millis().into());
    }
    if let Some(before) = query.before {
        conditions.push("at < ?");
        values.push(before.as_millis().into());
    }
    if let Some((at, seq)) = query.place {
        conditions.push("(at, seq) < (?, ?)");
        values.extend([at.as_millis().into(), seq.into()]);
    }
    values.push(limit_clause(Some(limit)).into());
    let filter = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    let sql = format!(
        "SELECT seq, account_id, document FROM call INDEXED BY {index} {filter} ORDER BY at DESC, seq DESC LIMIT ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok(RecordedCall {
            seq: row.get(0)?,
            account_id: id(row.get_ref(1)?.as_str()?)?,
            call: document(row.get_ref(2)?.as_str()?)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The calls with an account from this day on, oldest day first.
pub fn usage_since(connection: &Connection, account: AccountId, day: Day) -> Result<Vec<DayOfProgram>> {
    let mut statement = connection.prepare_cached(
        "SELECT day, api_token_id, name, calls, errors, latency, last_at FROM call_usage
         WHERE account_id = ?1 AND day >= ?2 ORDER BY day, api_token_id",
    )?;
    let rows = statement.query_map(params![account.to_string(), day.number()], |row| {
        // A program's key: that of one without a token is no id.
        let api_token_id: Option<ApiTokenId> = row.get_ref(1)?.as_str()?.parse().ok();
        Ok(DayOfProgram {
            day: Day::from_number(row.get(0)?),
            program: Program { api_token_id, name: row.get(2)? },
            usage: usage(row, 3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes calls that began before this time, and days before this day, `most` of each. Returns whether there may be more.
pub fn prune(tx: &Transaction<'_>, before: Timestamp, most: usize) -> Result<bool> {
    let most = limit_clause(Some(most));
    let calls = tx
        .prepare_cached("DELETE FROM call WHERE seq IN (SELECT seq FROM call WHERE at < ?1 ORDER BY at LIMIT ?2)")?
        .execute(params![before.as_millis(), most])?;
    let days = tx
        .prepare_cached(
            "DELETE FROM call_usage WHERE (account_id, day, api_token_id) IN
               (SELECT account_id, day, api_token_id FROM call_usage WHERE day < ?1 LIMIT ?2)",
        )?
        .execute(params![Day::of(before).number(), most])?;
    Ok(number(calls as u64).max(number(days as u64)) >= most)
}
