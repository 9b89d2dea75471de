//! Parquet: a folder with a part for each batch.
//!
//! A Parquet file ends with its schema, so it can't be appended to, and a crash would leave one that nobody can read. A part is written
//! under another name first, and gets its own, which has the batch's id, when it is complete on the disk.
//!
//! Each part has the columns that its records have. A column is a boolean, a 64-bit integer or a double if all of its values are (integers
//! and doubles together are doubles), and a string otherwise. Every column is optional.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ::parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};

use crate::{
    batch::Batch,
    folder,
    problem::Problem,
    record::{self, Cell, Field, VALUE, is_exact},
};

/// What an unfinished part's name ends with. Who reads the folder leaves out names that begin with a dot.
const UNFINISHED: &str = ".unfinished";

pub(crate) struct Parquet {
    folder: PathBuf,
}

impl Parquet {
    pub fn open(folder: &Path) -> Result<Self, Problem> {
        folder::ensure(folder)?;
        let at = |error| Problem::io(folder, &error);
        for entry in fs::read_dir(folder).map_err(at)? {
            let entry = entry.map_err(at)?;
            if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
                fs::remove_file(entry.path()).map_err(at)?;
            }
        }
        folder::sync_folder_of(folder).map_err(at)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Returns when the part is on the disk, under its name. A batch that comes again takes the place of its earlier version.
    pub fn write(&self, batch: &Batch) -> Result<(), Problem> {
        let part = self.folder.join(format!("part-{}.parquet", batch.id));
        let columns = columns(batch)?;
        let unfinished = self.folder.join(format!(".part-{}{UNFINISHED}", batch.id));
        let written = write_part(&unfinished, &columns, batch.len()).and_then(|()| {
            fs::rename(&unfinished, &part)?;
            folder::sync_folder_of(&part)
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&unfinished);
            Problem::io(&part, &error)
        })
    }

    pub fn is_current(&self) -> bool {
        self.folder.is_dir()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Integer,
    Real,
    Text,
}

struct Column<'a> {
    name: String,
    kind: Kind,
    /// All integers are ones that a double holds.
    is_exact: bool,
    /// Each row that has one, with its JSON text.
    values: Vec<(usize, &'a str)>,
}

/// The columns in the order in which they appear. One that has nothing but null is left out.
fn columns(batch: &Batch) -> Result<Vec<Column<'_>>, Problem> {
    let mut columns: Vec<Column<'_>> = Vec::new();
    let mut by_field: HashMap<String, usize> = HashMap::new();
    let mut fields: Vec<Field<'_>> = Vec::new();
    for (row, record) in batch.records().enumerate() {
        record::split(record, &mut fields)?;
        let mut next = 0;
        for (field, json) in &fields {
            let cell = Cell::read(json);
            let Some(kind) = kind_of(&cell) else { continue };
            let at = match columns.get(next) {
                Some(column) if column.name == **field => next,
                _ => *by_field.entry(field.to_string()).or_insert(columns.len()),
            };
            next = at + 1;
            let exact = !matches!(cell, Cell::Integer(integer) if !is_exact(integer));
            if at == columns.len() {
                columns.push(Column { name: field.to_string(), kind, is_exact: exact, values: Vec::new() });
            }
            let column = &mut columns[at];
            column.is_exact &= exact;
            column.kind = merged(column.kind, kind);
            match column.values.last_mut() {
                // A name that the record has twice: the last one counts, as in JavaScript.
                Some((last, value)) if *last == row => *value = json,
                _ => column.values.push((row, json)),
            }
        }
    }
    for column in &mut columns {
        if column.kind == Kind::Real && !column.is_exact {
            column.kind = Kind::Text;
        }
    }
    if columns.is_empty() {
        columns.push(Column { name: VALUE.to_owned(), kind: Kind::Text, is_exact: true, values: Vec::new() });
    }
    Ok(columns)
}

const fn kind_of(cell: &Cell<'_>) -> Option<Kind> {
    match cell {
        Cell::Null => None,
        Cell::Boolean(_) => Some(Kind::Boolean),
        Cell::Integer(_) => Some(Kind::Integer),
        Cell::Real(_) => Some(Kind::Real),
        Cell::Text(_) => Some(Kind::Text),
    }
}

const fn merged(one: Kind, other: Kind) -> Kind {
    match (one, other) {
        (Kind::Boolean, Kind::Boolean) => Kind::Boolean,
        (Kind::Integer, Kind::Integer) => Kind::Integer,
        (Kind::Integer | Kind::Real, Kind::Integer | Kind::Real) => Kind::Real,
        _ => Kind::Text,
    }
}

fn write_part(path: &Path, columns: &[Column<'_>], rows: usize) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let file = folder::create_new(path)?;
    write_columns(&file, columns, rows).map_err(|error| match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    })?;
    file.sync_all()
}

fn write_columns(file: &fs::File, columns: &[Column<'_>], rows: usize) -> Result<(), ParquetError> {
    let fields = columns.iter().map(Column::schema).collect::<Result<_, _>>()?;
    let schema = Arc::new(Type::group_type_builder("record").with_fields(fields).build()?);
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let mut writer = SerializedFileWriter::new(file, schema, properties)?;
    let mut group = writer.next_row_group()?;
    for column in columns {
        column.write(&mut group, rows)?;
    }
    group.close()?;
    writer.close().map(drop)
}

impl Column<'_> {
    fn schema(&self) -> Result<Arc<Type>, ParquetError> {
        let (physical, logical) = match self.kind {
            Kind::Boolean => (PhysicalType::BOOLEAN, None),
            Kind::Integer => (PhysicalType::INT64, None),
            Kind::Real => (PhysicalType::DOUBLE, None),
            Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let column = Type::primitive_type_builder(&self.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(column))
    }

    fn write<W: io::Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        rows: usize,
    ) -> Result<(), ParquetError> {
        match self.kind {
            Kind::Boolean => self.write_as::<BoolType, W>(group, rows, |json| json == "true"),
            Kind::Integer => self.write_as::<Int64Type, W>(group, rows, |json| json.parse().unwrap_or_default()),
            Kind::Real => self.write_as::<DoubleType, W>(group, rows, |json| json.parse().unwrap_or_default()),
            Kind::Text => self.write_as::<ByteArrayType, W>(group, rows, |json| {
                let text = if json.starts_with('"') { record::text(json) } else { json.into() };
                ByteArray::from(text.as_bytes().to_vec())
            }),
        }
    }

    fn write_as<T: DataType, W: io::Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        rows: usize,
        read: impl Fn(&str) -> T::T,
    ) -> Result<(), ParquetError> {
        let values: Vec<T::T> = self.values.iter().map(|(_, json)| read(json)).collect();
        // 1: the row has a value.
        let mut levels = vec![0; rows];
        for (row, _) in &self.values {
            levels[*row] = 1;
        }
        let Some(mut column) = group.next_column()? else { return Ok(()) };
        column.typed::<T>().write_batch(&values, Some(&levels), None)?;
        column.close()
    }
}
