//! The schema, from the first version on. A version is never edited once it has shipped; the next one is added.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{Result, StoreError};

/// Each entry takes the database from its index to the next version.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// The versions of the database and of this Relink. A database from a newer Relink is refused, untouched.
pub(super) fn refuse_newer(connection: &Connection, folder: Option<&Path>) -> Result<(i64, i64)> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { folder: folder.map(Path::to_owned).unwrap_or_default(), found, known });
    }
    Ok((found, known))
}

/// Brings the database to the newest version, in one transaction, after a copy of what was there.
pub(super) fn run(connection: &mut Connection, folder: Option<&Path>) -> Result<()> {
    let (found, known) = refuse_newer(connection, folder)?;
    if found == known {
        return Ok(());
    }
    if let (Some(folder), true) = (folder, found > 0) {
        back_up(connection, folder, found)?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// Copies the database as it is to `relink.db.version-N.bak`, whole or not at all.
fn back_up(connection: &Connection, folder: &Path, version: i64) -> Result<()> {
    let copy = folder.join(format!("{}.version-{version}.bak", super::Store::FILE));
    let unfinished = copy.with_extension("bak.part");
    let refused = |source| StoreError::Folder { folder: folder.to_owned(), source };
    match std::fs::remove_file(&unfinished) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(refused(source)),
        Ok(()) | Err(_) => {}
    }
    connection.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
    super::private_file(&unfinished).map_err(refused)?;
    std::fs::rename(&unfinished, &copy).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, settings};

    fn newest() -> i64 {
        i64::try_from(MIGRATIONS.len()).expect("few")
    }

    #[test]
    fn a_copy_is_made_that_holds_what_was_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut connection = Connection::open(folder.path().join(Store::FILE)).expect("opens");
        run(&mut connection, Some(folder.path())).expect("migrates");
        connection.execute("INSERT INTO setting (name, value) VALUES ('kept', '1')", []).expect("written");
        back_up(&connection, folder.path(), 1).expect("copied");
        let copy = Connection::open(folder.path().join("relink.db.version-1.bak")).expect("opens");
        let kept: String =
            copy.query_row("SELECT value FROM setting WHERE name = 'kept'", [], |r| r.get(0)).expect("there");
        assert_eq!(kept, "1");
    }

    #[tokio::test]
    async fn an_older_database_is_copied_as_it_was_and_brought_up_to_date() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(Store::FILE);
        let older = Connection::open(&path).expect("opens");
        older.execute_batch(MIGRATIONS[0]).expect("the first version");
        older
            .execute_batch("PRAGMA user_version = 1; INSERT INTO setting (name, value) VALUES ('kept', '1')")
            .expect("written");
        drop(older);

        let opened = Store::open(folder.path()).expect("opens");
        let kept: Option<i32> = opened.store.read(|c| settings::get(c, "kept")).await.expect("read");
        assert_eq!(kept, Some(1));
        let version = |c: &Connection| Ok(c.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?);
        assert_eq!(opened.store.read(version).await.expect("read"), newest());

        let copy = Connection::open(folder.path().join("relink.db.version-1.bak")).expect("opens");
        assert_eq!(version(&copy).expect("read"), 1, "the copy is of before");
        assert_eq!(settings::get(&copy, "kept").expect("read"), Some(1));
    }

    #[test]
    fn the_newest_version_is_reached_and_reaching_it_again_changes_nothing() {
        let mut connection = Connection::open_in_memory().expect("opens");
        for _ in 0..2 {
            run(&mut connection, None).expect("migrates");
            let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("read");
            assert_eq!(version, newest());
        }
    }
}
