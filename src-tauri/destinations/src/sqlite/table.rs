//! A table that grows with its records, and how a record becomes a row.
//!
//! A column has the type of the first value that it gets. When a value comes that would lose something in it, the column changes: to REAL
//! for a number with a fraction in a column of integers, else to TEXT. In a TEXT column a number is what the record writes, and a boolean
//! is `0` or `1`.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, ErrorCode, types::ToSqlOutput, types::ValueRef};

use super::{
    Failure,
    name::{self, quoted},
    schema::{self, Column, Kind},
};
use crate::{
    origin,
    problem::Problem,
    record::{Cell, Field, VALUE, is_exact},
};

pub(super) struct Table {
    name: String,
    /// The field that identifies a record.
    key: Option<String>,
    columns: Vec<Column>,
    by_field: HashMap<String, usize>,
    insert: String,
}

impl Table {
    pub fn load(connection: &Connection, name: &str, key: Option<&str>) -> Result<Self, Failure> {
        if name::is_reserved(name) || name.contains('\0') {
            let message = format!(
                "{name:?} can't be the name of a table: names that begin with sqlite_ and relink_ are reserved. Choose another table in the job.",
            );
            return Err(Problem::invalid("destination_config", message).into());
        }
        let (name, key) = (name.to_owned(), key.map(str::to_owned));
        let mut table = Self { name, key, columns: Vec::new(), by_field: HashMap::new(), insert: String::new() };
        table.reload(connection)?;
        if let Some(key) = table.key_column() {
            schema::add_key(connection, &table.name, key)?;
        }
        Ok(table)
    }

    fn reload(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.columns = schema::load(connection, &self.name)?;
        self.by_field = self.columns.iter().enumerate().map(|(at, column)| (column.field.clone(), at)).collect();
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        let marks = vec!["?"; names.len()].join(", ");
        self.insert = format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(&self.name), names.join(", "));
        if let Some(key) = self.key_column() {
            // What another job has written last stays a record of the job that follows it.
            let update = |(column, name): (&Column, &String)| {
                if origin::is_field(&column.field) {
                    format!("{name} = coalesce(excluded.{name}, {name})")
                } else {
                    format!("{name} = excluded.{name}")
                }
            };
            let updates: Vec<String> = self.columns.iter().zip(&names).map(update).collect();
            let key = quoted(&key.name);
            self.insert = format!("{} ON CONFLICT ({key}) DO UPDATE SET {}", self.insert, updates.join(", "));
        }
        Ok(())
    }

    fn key_column(&self) -> Option<&Column> {
        self.key.as_ref().and_then(|key| self.by_field.get(key)).map(|at| &self.columns[*at])
    }

    /// Makes the table take a record.
    pub fn fit(&mut self, connection: &Connection, fields: &[Field<'_>]) -> Result<(), Failure> {
        let mut new: Vec<Column> = Vec::new();
        for (field, json) in fields {
            let Some(kind) = kind_of(&Cell::read(json)) else { continue };
            if !self.by_field.contains_key(&**field) && new.iter().all(|it| it.field != **field) {
                new.push(self.column(field, kind, &new));
            }
        }
        // A table has at least one column.
        if self.columns.is_empty() && new.is_empty() {
            let field = fields.first().map_or(VALUE, |(field, _)| field);
            new.push(self.column(field, Kind::Text, &new));
        }
        self.add(connection, &new)?;
        for (field, json) in fields {
            let cell = Cell::read(json);
            let column = self.by_field.get(&**field).map(|at| self.columns[*at].clone());
            let Some(column) = column.filter(|column| !fits(column.kind, &cell)) else { continue };
            let kind = widened(connection, &self.name, &column, &cell)?;
            let is_key = self.key.as_ref() == Some(&column.field);
            schema::change_kind(connection, &self.name, &self.columns, &column, kind, is_key)?;
            self.reload(connection)?;
        }
        Ok(())
    }

    /// A column for a field, beside those that are there and those that are new too.
    fn column(&self, field: &str, kind: Kind, new: &[Column]) -> Column {
        let taken = self.columns.iter().chain(new).map(|it| it.name.as_str());
        Column { name: name::of_column(field, &taken), field: field.to_owned(), kind }
    }

    fn add(&mut self, connection: &Connection, new: &[Column]) -> Result<(), Failure> {
        if new.is_empty() {
            return Ok(());
        }
        schema::add(connection, &self.name, &self.columns, new)?;
        self.reload(connection)?;
        match self.key_column() {
            Some(key) => schema::add_key(connection, &self.name, key),
            None => Ok(()),
        }
    }
}

/// The kind of a column that is made for a value. None: nothing needs a column.
const fn kind_of(cell: &Cell<'_>) -> Option<Kind> {
    match cell {
        Cell::Null => None,
        Cell::Boolean(_) | Cell::Integer(_) => Some(Kind::Integer),
        Cell::Real(_) => Some(Kind::Real),
        Cell::Text(_) => Some(Kind::Text),
    }
}

const fn fits(kind: Kind, cell: &Cell<'_>) -> bool {
    match (kind, cell) {
        (_, Cell::Null)
        | (Kind::Text | Kind::Any, _)
        | (Kind::Integer, Cell::Boolean(_) | Cell::Integer(_))
        | (Kind::Real, Cell::Real(_) | Cell::Boolean(_)) => true,
        (Kind::Real, Cell::Integer(integer)) => is_exact(*integer),
        _ => false,
    }
}

/// The kind that a column must have for a value that doesn't fit.
fn widened(connection: &Connection, table: &str, column: &Column, cell: &Cell<'_>) -> rusqlite::Result<Kind> {
    let is_number = column.kind == Kind::Integer && matches!(cell, Cell::Real(_));
    let becomes_real = is_number && schema::has_exact_integers(connection, table, column)?;
    Ok(if becomes_real { Kind::Real } else { Kind::Text })
}

/// The statement that inserts records, as long as they fit.
pub(super) struct Prepared<'a> {
    statement: CachedStatement<'a>,
    table: &'a Table,
}

impl<'a> Prepared<'a> {
    pub fn new(connection: &'a Connection, table: &'a Table) -> rusqlite::Result<Self> {
        Ok(Self { statement: connection.prepare_cached(&table.insert)?, table })
    }

    /// False: the table has to be made to fit first.
    pub fn insert(&mut self, fields: &[Field<'_>]) -> Result<bool, Failure> {
        let columns = &self.table.columns;
        self.statement.clear_bindings();
        // Records have their fields in the same order, more or less.
        let mut next = 0;
        let mut has_key = self.table.key.is_none();
        for (field, json) in fields {
            let cell = Cell::read(json);
            let at = match columns.get(next) {
                Some(column) if column.field == **field => next,
                _ => match self.table.by_field.get(&**field) {
                    Some(at) => *at,
                    None if cell == Cell::Null => continue,
                    None => return Ok(false),
                },
            };
            next = at + 1;
            let column = &columns[at];
            if !fits(column.kind, &cell) {
                return Ok(false);
            }
            if self.table.key.as_deref() == Some(&**field) {
                has_key = cell != Cell::Null && !json.starts_with(['{', '[']);
            }
            self.statement.raw_bind_parameter(at + 1, bound(column.kind, &cell, json))?;
        }
        if !has_key {
            return Err(without_key(self.table.key.as_deref().unwrap_or_default(), fields).into());
        }
        self.statement.raw_execute().map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => refused(&self.table.name, &error, fields).into(),
            _ => Failure::from(error),
        })?;
        Ok(true)
    }
}

#[expect(clippy::cast_precision_loss, reason = "`fits` has seen that it is exact")]
fn bound<'a>(kind: Kind, cell: &'a Cell<'a>, json: &'a str) -> ToSqlOutput<'a> {
    let digit = |is_true: bool| if is_true { "1" } else { "0" };
    let text = |text: &'a str| ValueRef::Text(text.as_bytes());
    ToSqlOutput::Borrowed(match (kind, cell) {
        (_, Cell::Null) => ValueRef::Null,
        (_, Cell::Text(value)) => text(value),
        (Kind::Text, Cell::Boolean(value)) => text(digit(*value)),
        (Kind::Text, Cell::Integer(_) | Cell::Real(_)) => text(json),
        (Kind::Real, Cell::Integer(value)) => ValueRef::Real(*value as f64),
        (Kind::Real, Cell::Boolean(value)) => ValueRef::Real(f64::from(u8::from(*value))),
        (_, Cell::Boolean(value)) => ValueRef::Integer(i64::from(*value)),
        (_, Cell::Integer(value)) => ValueRef::Integer(*value),
        (_, Cell::Real(value)) => ValueRef::Real(*value),
    })
}

fn without_key(key: &str, fields: &[Field<'_>]) -> Problem {
    Problem::invalid(
        "record_without_key",
        format!(
            "The record {} has no {key:?}, which is the key of this destination, so none of its batch was written. Change the key in the job, or leave such records out with a transform.",
            start_of(fields),
        ),
    )
}

fn refused(table: &str, error: &rusqlite::Error, fields: &[Field<'_>]) -> Problem {
    Problem::invalid(
        "record_not_usable",
        format!(
            "The table {} refuses the record {}: {error}. None of its batch was written. Change the table, or the record with a transform.",
            quoted(table),
            start_of(fields),
        ),
    )
}

/// Enough of a record to find it.
fn start_of(fields: &[Field<'_>]) -> String {
    let shown = fields.iter().take(4).map(|(field, json)| {
        let value: String = json.chars().take(60).collect();
        let more = if value.len() < json.len() { "…" } else { "" };
        format!("{field:?}: {value}{more}")
    });
    let more = if fields.len() > 4 { ", …" } else { "" };
    format!("{{{}{more}}}", shown.collect::<Vec<_>>().join(", "))
}
