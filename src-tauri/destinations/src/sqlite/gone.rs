//! Rows whose records are gone at the provider (`delete_tracking`).

use relink_domain::sync::{Condition, DeleteMode, Operator};
use rusqlite::{Connection, params_from_iter, types::Value as Cell};
use serde_json::Value;

use super::{
    Failure,
    name::{self, quoted},
    schema::{self, Column, Kind},
};
use crate::origin::{ACCOUNT, DELETED_AT, Gone, JOB, REQUEST, RUN, SYNCED_AT};

/// How many lists a statement takes together: a table is read once for so many.
const LISTS: usize = 100;

pub(super) fn delete(connection: &Connection, table: &str, gone: &Gone) -> Result<u64, Failure> {
    let columns = schema::load(connection, table)?;
    // A table without them has no row of this origin.
    if [JOB, RUN, ACCOUNT, SYNCED_AT, REQUEST].iter().any(|field| column_of(&columns, field).is_none()) {
        return Ok(0);
    }
    if gone.mode == DeleteMode::Soft && column_of(&columns, DELETED_AT).is_none() {
        let taken = columns.iter().map(|column| column.name.as_str());
        let name = name::of_column(DELETED_AT, &taken);
        let column = Column { name, field: DELETED_AT.to_owned(), kind: Kind::Text };
        schema::add(connection, table, &columns, &[column])?;
    }
    let columns = schema::load(connection, table)?;
    let mut deleted = 0;
    for lists in gone.lists.chunks(LISTS) {
        deleted += delete_of(connection, (table, &columns), gone, lists)?;
    }
    Ok(deleted)
}

/// A condition in SQL, and its values.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Cell>,
}

impl Sql {
    fn push(&mut self, text: &str, values: impl IntoIterator<Item = Cell>) {
        self.text.push_str(text);
        self.values.extend(values);
    }
}

fn delete_of(
    connection: &Connection,
    (table, columns): (&str, &[Column]),
    gone: &Gone,
    lists: &[Vec<Condition<Value>>],
) -> Result<u64, Failure> {
    let of = |field: &str| column_of(columns, field).map(|column| quoted(&column.name)).unwrap_or_default();
    let text = |value: &str| Cell::Text(value.to_owned());
    let mut sql = Sql::default();
    let deleted_at = of(DELETED_AT);
    match gone.mode {
        DeleteMode::Soft => {
            let at = text(&gone.origin.at.to_string());
            sql.push(&format!("UPDATE {} SET {deleted_at} = ? WHERE {deleted_at} IS NULL AND ", quoted(table)), [at]);
        }
        DeleteMode::Hard => sql.push(&format!("DELETE FROM {} WHERE ", quoted(table)), []),
    }
    let origin = &gone.origin;
    sql.push(
        &format!(
            "{} = ? AND {} = ? AND {} = ? AND {} <> ? AND {} < ?",
            of(JOB),
            of(ACCOUNT),
            of(REQUEST),
            of(RUN),
            of(SYNCED_AT)
        ),
        [&origin.job, &origin.account, &origin.request, &origin.run.to_string(), &gone.since.to_string()]
            .map(|it| text(it)),
    );
    sql.push(" AND (", []);
    for (at, list) in lists.iter().enumerate() {
        sql.push(if at == 0 { "(1" } else { " OR (1" }, []);
        for condition in list {
            sql.push(" AND ", []);
            compare(&mut sql, columns, condition);
        }
        sql.push(")", []);
    }
    sql.push(")", []);
    let changed = connection.prepare(&sql.text)?.execute(params_from_iter(sql.values))?;
    Ok(changed as u64)
}

/// A row that lacks the field doesn't meet the condition.
fn compare(sql: &mut Sql, columns: &[Column], condition: &Condition<Value>) {
    let Some((field, inner)) = condition.field.split_first() else { return };
    let Some(column) = column_of(columns, field) else { return sql.push("0", []) };
    let name = quoted(&column.name);
    let mut of = Sql::default();
    if inner.is_empty() {
        of.push(&name, []);
    } else {
        // A path of SQLite can't name a field with a quote.
        if inner.iter().any(|name| name.contains('"')) {
            return sql.push("0", []);
        }
        let path = format!("$.\"{}\"", inner.join("\".\""));
        // The value is JSON, or else the row has nothing there.
        let json = format!("CASE WHEN json_valid({name}) THEN json_extract({name}, ?) END");
        of.push(&json, [Cell::Text(path)]);
    }
    // Values of two types are different for SQLite, and one of them larger, whatever they are.
    if !matches!(condition.operator, Operator::Eq | Operator::In) {
        let types = if condition.value.is_string() { "'text'" } else { "'integer', 'real'" };
        sql.push(&format!("typeof({}) IN ({types}) AND ", of.text), of.values.iter().cloned());
    }
    sql.push(&of.text, of.values);
    let operator = match condition.operator {
        Operator::Eq => "=",
        Operator::Ne => "<>",
        Operator::Gt => ">",
        Operator::Gte => ">=",
        Operator::Lt => "<",
        Operator::Lte => "<=",
        // One value, however long the list is.
        Operator::In => {
            let is_text = inner.is_empty() && column.kind == Kind::Text;
            let item = if is_text { "CAST(value AS TEXT)" } else { "value" };
            let items = [Cell::Text(condition.value.to_string())];
            return sql.push(&format!(" IN (SELECT {item} FROM json_each(?))"), items);
        }
    };
    sql.push(&format!(" {operator} ?"), [cell(&condition.value)]);
}

/// As the value stands in a column. SQLite compares it as the column's type does (<https://sqlite.org/datatype3.html> §4.2).
fn cell(value: &Value) -> Cell {
    match value {
        Value::Bool(is_true) => Cell::Integer(i64::from(*is_true)),
        Value::Number(number) => {
            number.as_i64().map(Cell::Integer).or_else(|| number.as_f64().map(Cell::Real)).unwrap_or(Cell::Null)
        }
        Value::String(text) => Cell::Text(text.clone()),
        other => Cell::Text(other.to_string()),
    }
}

fn column_of<'c>(columns: &'c [Column], field: &str) -> Option<&'c Column> {
    columns.iter().find(|column| column.field == field)
}
