//! Names of tables and columns.

/// `crm/contacts` becomes `crm_contacts`: a name that needs no quotes.
pub(super) fn of_resource(resource: &str) -> String {
    let name: String = resource.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let needs_prefix = name.starts_with(|c: char| c.is_ascii_digit()) || is_reserved(&name);
    if needs_prefix || name.is_empty() { format!("records_{name}") } else { name }
}

/// SQLite's own tables, and Relink's.
pub(super) fn is_reserved(table: &str) -> bool {
    ["sqlite_", "relink_"].iter().any(|prefix| table.get(..7).is_some_and(|it| it.eq_ignore_ascii_case(prefix)))
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The column of a field: its name, or the nearest one that SQLite takes and no other column has. SQLite takes `id` and `ID` for the same.
pub(super) fn of_column<'a>(field: &str, taken: &(impl Iterator<Item = &'a str> + Clone)) -> String {
    let base = if field.is_empty() { "_".to_owned() } else { field.replace('\0', "_") };
    let is_free = |name: &str| !taken.clone().any(|it| it.eq_ignore_ascii_case(name));
    let numbered = (2..).map(|number| format!("{base}_{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_becomes_a_plain_name() {
        for (resource, table) in [
            ("crm/contacts", "crm_contacts"),
            ("pull-requests", "pull_requests"),
            ("2fa", "records_2fa"),
            ("sqlite_x", "records_sqlite_x"),
            ("", "records_"),
        ] {
            assert_eq!(of_resource(resource), table);
        }
    }

    #[test]
    fn a_column_has_a_name_of_its_own() {
        let taken = ["ID", "id_2"];
        for (field, column) in [("id", "id_3"), ("Id_2", "Id_2_2"), ("name", "name"), ("", "_"), ("a\0b", "a_b")] {
            assert_eq!(of_column(field, &taken.into_iter()), column);
        }
    }
}
