//! The schema of one table: how it is read, and how it grows.

use rusqlite::{Connection, params};

use super::{Failure, name::quoted};
use crate::{problem::Problem, record::MAX_EXACT};

/// The most columns of a table (`SQLITE_MAX_COLUMN`).
const MAX_COLUMNS: usize = 2000;

/// What a column holds. It follows from the type that the column was declared with (<https://sqlite.org/datatype3.html> §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Integers, and booleans as 0 and 1.
    Integer,
    Real,
    Text,
    /// A column that somebody else has made: each value as it is.
    Any,
}

impl Kind {
    fn of_declared(declared: &str) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        if has(&["INT"]) {
            Self::Integer
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Any
        }
    }

    const fn declared(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
            Self::Any => "",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    /// The field of a record that it is for.
    pub field: String,
    pub kind: Kind,
}

/// Empty: there is no such table.
pub(super) fn load(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    // `hidden`: what others compute can't be written.
    let mut statement = connection.prepare_cached(
        "SELECT info.name, info.type, coalesce(known.field, info.name) FROM pragma_table_xinfo(?1) AS info
         LEFT JOIN relink_columns AS known
           ON known.\"table\" = ?1 COLLATE NOCASE AND known.\"column\" = info.name COLLATE NOCASE
         WHERE info.hidden = 0 ORDER BY info.cid",
    )?;
    let columns = statement.query_map([table], |row| {
        let declared: String = row.get(1)?;
        Ok(Column { name: row.get(0)?, field: row.get(2)?, kind: Kind::of_declared(&declared) })
    })?;
    columns.collect()
}

/// Adds columns to a table, or makes the table with them.
pub(super) fn add(connection: &Connection, table: &str, columns: &[Column], new: &[Column]) -> Result<(), Failure> {
    if let Some(first) = new.get(MAX_COLUMNS.saturating_sub(columns.len())) {
        return Err(too_many_columns(table, &first.field).into());
    }
    let of = quoted(table);
    let definitions = new.iter().map(|column| format!("{} {}", quoted(&column.name), column.kind.declared()));
    let sql = if columns.is_empty() {
        format!("CREATE TABLE {of} ({})", definitions.collect::<Vec<_>>().join(", "))
    } else {
        definitions.map(|definition| format!("ALTER TABLE {of} ADD COLUMN {definition};")).collect::<Vec<_>>().concat()
    };
    connection.execute_batch(&sql)?;
    for column in new.iter().filter(|column| column.name != column.field) {
        connection.execute(
            "INSERT OR REPLACE INTO relink_columns (\"table\", field, \"column\") VALUES (?, ?, ?)",
            params![table, column.field, column.name],
        )?;
    }
    Ok(())
}

/// Gives a column another kind, with all that is in it.
pub(super) fn change_kind(
    connection: &Connection,
    table: &str,
    columns: &[Column],
    column: &Column,
    kind: Kind,
    is_key: bool,
) -> Result<(), Failure> {
    if columns.len() >= MAX_COLUMNS {
        return Err(too_many_columns(table, &column.field).into());
    }
    let (of, old) = (quoted(table), quoted(&column.name));
    let new = quoted(&super::name::of_column("relink_new", &columns.iter().map(|it| it.name.as_str())));
    let value = match kind {
        // All digits of a double that count, which CAST would cut off.
        Kind::Text => format!("CASE typeof({old}) WHEN 'real' THEN format('%!.17g', {old}) ELSE {old} END"),
        _ => old.clone(),
    };
    let unindex = if is_key { format!("DROP INDEX IF EXISTS {};", index(table, column)) } else { String::new() };
    let script = format!(
        "{unindex}
         ALTER TABLE {of} ADD COLUMN {new} {};
         UPDATE {of} SET {new} = {value};
         ALTER TABLE {of} DROP COLUMN {old};
         ALTER TABLE {of} RENAME COLUMN {new} TO {old};",
        kind.declared(),
    );
    connection.execute_batch(&script).map_err(|error| match error.sqlite_error() {
        Some(code) if code.code == rusqlite::ErrorCode::Unknown => Failure::Said(Problem::invalid(
            "destination_column_in_use",
            format!(
                "The column {old} of {of} holds {} values, a record has another type in it, and the column can't be changed: {error}. Remove the index, view or trigger that uses it, or give the field one type with a transform.",
                column.kind.declared(),
            ),
        )),
        _ => error.into(),
    })?;
    if is_key { add_key(connection, table, column) } else { Ok(()) }
}

/// Whether doubles hold exactly what an integer column has.
pub(super) fn has_exact_integers(connection: &Connection, table: &str, column: &Column) -> rusqlite::Result<bool> {
    let (of, name) = (quoted(table), quoted(&column.name));
    let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM {of} WHERE {name} NOT BETWEEN -?1 AND ?1)");
    connection.query_row(&sql, [MAX_EXACT.cast_signed()], |row| row.get(0))
}

/// Makes a column identify a row.
pub(super) fn add_key(connection: &Connection, table: &str, column: &Column) -> Result<(), Failure> {
    let (of, name) = (quoted(table), quoted(&column.name));
    let sql = format!("CREATE UNIQUE INDEX IF NOT EXISTS {} ON {of} ({name})", index(table, column));
    connection.execute_batch(&sql).map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => Failure::Said(Problem::invalid(
            "destination_key_not_unique",
            format!(
                "The table {of} already has several rows with the same {name}, so {name} can't be its key. Remove all but one of them, choose another table, or take the key out of the job.",
            ),
        )),
        _ => error.into(),
    })
}

fn index(table: &str, column: &Column) -> String {
    quoted(&format!("relink_{table}_{}", column.name))
}

fn too_many_columns(table: &str, field: &str) -> Problem {
    Problem::invalid(
        "destination_too_many_columns",
        format!(
            "The table {} has {MAX_COLUMNS} columns, the most that SQLite allows, and a record has the further field {}. Leave fields out with a transform, or write JSON Lines.",
            quoted(table),
            quoted(field),
        ),
    )
}
