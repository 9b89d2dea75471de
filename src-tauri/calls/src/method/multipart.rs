//! Multipart bodies (RFC 7578).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::parameters::text;

/// What a boundary is: this and a number.
const BOUNDARY: &str = "relink-";
const NUMBER_DIGITS: usize = 20;
/// Of a boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The parts of a body.
#[derive(Debug, PartialEq)]
pub(super) enum Parts {
    /// As an object. A name that comes several times is a list.
    Fields(Map<String, Value>),
    /// One of them isn't text, so that no object can hold it.
    Binary,
}

/// A part of a body.
struct Part<'a> {
    name: String,
    /// Of a file.
    file_name: Option<String>,
    content: &'a [u8],
}

/// `None`: it is no multipart body.
pub(super) fn read(content_type: &str, body: &[u8]) -> Option<Parts> {
    let mut fields = Map::new();
    for Part { name, content, .. } in parts(content_type, body)? {
        let Ok(content) = std::str::from_utf8(content) else { return Some(Parts::Binary) };
        add(&mut fields, name, content.into());
    }
    Some(Parts::Fields(fields))
}

/// The fields of a body with files, which no object can hold. A file's field is an object with its `file_name`, and null if the file is
/// none: a person chose nothing. `None`: there is no file in it.
pub(super) fn with_files(content_type: &str, body: &[u8]) -> Option<Map<String, Value>> {
    let parts = parts(content_type, body)?;
    let is_none = |part: &Part<'_>| part.content.is_empty() && part.file_name.as_deref() == Some("");
    let is_file = |part: &Part<'_>| part.file_name.is_some() || std::str::from_utf8(part.content).is_err();
    if !parts.iter().any(|part| is_file(part) && !is_none(part)) {
        return None;
    }
    let mut fields = Map::new();
    for part in parts {
        let value = match std::str::from_utf8(part.content) {
            _ if is_none(&part) => Value::Null,
            Ok(text) if part.file_name.is_none() => text.into(),
            _ => Map::from_iter([("file_name".to_owned(), part.file_name.into())]).into(),
        };
        add(&mut fields, part.name, value);
    }
    Some(fields)
}

/// Adds a field. A name that comes several times is a list.
fn add(fields: &mut Map<String, Value>, name: String, value: Value) {
    match fields.get_mut(&name) {
        None => {
            fields.insert(name, value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn parts<'b>(content_type: &str, body: &'b [u8]) -> Option<Vec<Part<'b>>> {
    let boundary =
        parameter(content_type, "boundary").filter(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()))?;
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, delimiter.as_bytes())?;
        let (part, behind) = part.split_at(end);
        rest = &behind[delimiter.len()..];
        // A part without headers begins with the empty line.
        let (head, content) = if let Some(content) = part.strip_prefix(b"\r\n") {
            (&b""[..], content)
        } else {
            let at = find(part, b"\r\n\r\n")?;
            (&part[..at], &part[at + 4..])
        };
        let disposition = disposition_of(std::str::from_utf8(head).ok()?)?;
        let (name, file_name) = (parameter(disposition, "name")?, parameter(disposition, "filename"));
        parts.push(Part { name, file_name, content });
    }
    rest.starts_with(b"--").then_some(parts)
}

fn disposition_of(head: &str) -> Option<&str> {
    head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })
}

/// A parameter of a header's value, with its quotes taken off.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (text, behind) = if let Some(quoted) = after.trim_start().strip_prefix('"') {
            let (mut text, mut chars) = (String::new(), quoted.char_indices());
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at,
                    (_, '\\') => text.push(chars.next()?.1),
                    (_, c) => text.push(c),
                }
            };
            (text, &quoted[end + 1..])
        } else {
            let end = after.find(';').unwrap_or(after.len());
            (after[..end].trim().to_owned(), &after[end..])
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = behind.split_once(';')?.1;
    }
}

fn find(within: &[u8], wanted: &[u8]) -> Option<usize> {
    within.windows(wanted.len()).position(|window| window == wanted)
}

/// A part for each member, and for each item of a list. What has members goes as JSON, and null is left out. Gives the boundary,
/// which is in none of the parts, and the body.
pub(super) fn write(fields: &Map<String, Value>) -> (String, String) {
    let mut parts = Vec::new();
    for (name, value) in fields {
        let items = if let Value::Array(items) = value { items.as_slice() } else { std::slice::from_ref(value) };
        for item in items {
            let Some(content) = text(item) else { continue };
            let kind = if item.is_object() || item.is_array() { "\r\nContent-Type: application/json" } else { "" };
            let name = escaped(name);
            parts.push(format!("Content-Disposition: form-data; name=\"{name}\"{kind}\r\n\r\n{content}\r\n"));
        }
    }
    // Each part is searched once, however many boundaries it contains.
    let taken: BTreeSet<&str> = parts
        .iter()
        .flat_map(|part| {
            part.match_indices(BOUNDARY).filter_map(|(at, _)| part.get(at + BOUNDARY.len()..)?.get(..NUMBER_DIGITS))
        })
        .collect();
    let mut candidates = (0_u64..).map(|number| format!("{number:0NUMBER_DIGITS$}"));
    // Finitely many parts can't contain all of them.
    let number = candidates.find(|number| !taken.contains(number.as_str())).unwrap_or_default();
    let boundary = format!("{BOUNDARY}{number}");
    let mut body = String::new();
    for part in &parts {
        body.extend(["--", &boundary, "\r\n", part]);
    }
    body.extend(["--", &boundary, "--\r\n"]);
    (boundary, body)
}

/// As browsers do (HTML, "multipart form data"): what would end the name is percent-encoded.
fn escaped(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_become_an_object() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: \
            form-data; filename=\"n;m.txt\"; name=\"b \\\" c\"\r\n\r\nline\r\nline\r\n--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--x--";
        let read = read("multipart/form-data; charset=utf-8; boundary=\"x\"", body);
        let Some(Parts::Fields(fields)) = read else { panic!("fields") };
        assert_eq!(Value::Object(fields), json!({"a": ["1", ""], "b \" c": "line\r\nline"}));
    }

    #[test]
    fn what_is_no_multipart_is_refused_and_a_file_is_no_text() {
        let kind = "multipart/form-data; boundary=x";
        for body in [
            &b""[..],
            b"--x",
            b"--x\r\n",
            b"--y--",
            b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
            b"--x\r\n\r\n1\r\n--x--",
        ] {
            assert_eq!(read(kind, body), None, "{body:?}");
        }
        assert_eq!(read("multipart/form-data; boundary=", b"--\r\n"), None);
        let file = b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n\xff\xfe\r\n--x--";
        assert_eq!(read(kind, file), Some(Parts::Binary));
    }

    #[test]
    fn a_form_with_files_has_their_names() {
        let kind = "multipart/form-data; boundary=x";
        let part = |disposition: &str, content: &str| {
            format!("--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
        };
        let body = [
            part("name=\"title\"", "Plan"),
            part("name=\"file\"; filename=\"a.csv\"", "a,b"),
            part("name=\"file\"; filename=\"\"", "nameless"),
            part("name=\"more\"; filename=\"\"", ""),
            "--x--".to_owned(),
        ]
        .concat();
        let expected = json!({"title": "Plan", "file": [{"file_name": "a.csv"}, {"file_name": ""}], "more": null});
        assert_eq!(with_files(kind, body.as_bytes()).map(Value::from), Some(expected));
        let binary = b"--x\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n\xff\xfe\r\n--x--";
        assert_eq!(with_files(kind, binary).map(Value::from), Some(json!({"f": {"file_name": null}})));
        let without = [part("name=\"title\"", "Plan"), "--x--".to_owned()].concat();
        assert_eq!(with_files(kind, without.as_bytes()), None);
        let nothing_chosen = [part("name=\"f\"; filename=\"\"", ""), "--x--".to_owned()].concat();
        assert_eq!(with_files(kind, nothing_chosen.as_bytes()), None, "the same as without the field");
    }

    #[test]
    fn the_boundary_is_in_no_part() {
        let fields = json!({"a": "--relink-00000000000000000000--", "b": "relink-00000000000000000001"})
            .as_object()
            .expect("an object")
            .clone();
        let (boundary, body) = write(&fields);
        assert_eq!(boundary, "relink-00000000000000000002");
        assert_eq!(
            read("multipart/form-data; boundary=relink-00000000000000000002", body.as_bytes()),
            Some(Parts::Fields(fields))
        );
    }

    proptest! {
        #[test]
        fn whatever_was_written_is_read_again(fields in prop::collection::btree_map("\\PC{1,8}", "\\PC{0,20}", 0..4)) {
            // Names that browsers would encode are read as they were encoded.
            let fields: Map<String, Value> = fields
                .into_iter()
                .filter(|(name, _)| !name.contains(['"', '\\']))
                .map(|(name, value)| (name, value.into()))
                .collect();
            let (boundary, body) = write(&fields);
            prop_assert_eq!(read(&format!("multipart/form-data; boundary={boundary}"), body.as_bytes()), Some(Parts::Fields(fields)));
        }

        #[test]
        fn nothing_that_arrives_is_too_strange(kind in "\\PC{0,40}", body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&kind, &body);
            let _ = read("multipart/form-data; boundary=x", &body);
        }
    }
}
