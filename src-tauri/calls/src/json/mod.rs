//! JSON that is passed on as it arrived: it is read once from end to end, and of what a path leads to, the text is given or a
//! [`Value`]. Numbers and texts stay as the provider wrote them.

mod records;
mod scan;

#[cfg(test)]
mod properties;

use std::sync::Arc;

use bytes::Bytes;
use relink_domain::integration::{JsonKind, JsonNode};
use serde_json::Value;

pub use self::records::Records;
use self::scan::{Container, Scanner, Span, scan};

/// A JSON document, or a part of one. Clones and parts share its text.
#[derive(Debug, Clone)]
pub struct Json {
    document: Bytes,
    /// All objects and lists of the document, in the order of their beginnings.
    containers: Arc<[Container]>,
    /// The bytes of this part, without white space around it.
    part: Span,
}

impl Json {
    /// Reads a document. `None`: `serde_json` wouldn't read it either.
    pub(crate) fn read(document: Bytes) -> Option<Self> {
        let (containers, part) = scan(&document)?;
        Some(Self { document, containers: containers.into(), part })
    }

    /// `None`: it is nested too deeply.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Self::read(value.to_string().into())
    }

    pub(crate) fn null() -> Self {
        Self { document: Bytes::from_static(b"null"), containers: Arc::default(), part: Span { from: 0, to: 4 } }
    }

    pub(crate) fn text(&self) -> Bytes {
        self.document.slice(self.part.range())
    }

    pub(crate) fn value(&self) -> Value {
        // It was checked when the document was read.
        serde_json::from_slice(self.bytes()).unwrap_or_default()
    }

    pub(crate) fn is_null(&self) -> bool {
        self.bytes() == b"null"
    }

    /// The number of items, of a list.
    pub(crate) fn item_count(&self) -> Option<usize> {
        let (this, _) = self.containers_from_here().split_first()?;
        (self.kind() == JsonKind::List).then_some(this.count as usize)
    }

    fn bytes(&self) -> &[u8] {
        &self.document[self.part.range()]
    }

    /// The first is this one, unless it is a scalar.
    fn containers_from_here(&self) -> &[Container] {
        &self.containers[self.containers.partition_point(|it| it.span.from < self.part.from)..]
    }

    /// Over what is in a container.
    fn walk(&self) -> Walk<'_> {
        let mut scanner = Scanner::new(&self.document);
        scanner.at = self.part.range().start + 1;
        Walk { scanner, containers: self.containers_from_here() }
    }

    fn at(&self, part: Span) -> Self {
        Self { document: self.document.clone(), containers: Arc::clone(&self.containers), part }
    }
}

impl JsonNode for Json {
    fn kind(&self) -> JsonKind {
        match self.bytes().first() {
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::List,
            _ => JsonKind::Scalar,
        }
    }

    fn member(&self, name: &str) -> Option<Self> {
        if self.kind() != JsonKind::Object {
            return None;
        }
        let mut walk = self.walk();
        let mut found = None;
        while let Some((key, value)) = walk.next_value().and_then(|key| Some((key, walk.next_value()?))) {
            if is_name(&self.document[key.range()], name) {
                found = Some(value);
            }
        }
        found.map(|value| self.at(value))
    }

    fn item(&self, at: usize) -> Option<Self> {
        if self.kind() != JsonKind::List {
            return None;
        }
        let mut walk = self.walk();
        std::iter::from_fn(|| walk.next_value()).nth(at).map(|item| self.at(item))
    }
}

/// Whether a string of a document is this text.
fn is_name(string: &[u8], name: &str) -> bool {
    if string.contains(&b'\\') {
        return serde_json::from_slice::<String>(string).is_ok_and(|text| text == name);
    }
    string.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) == Some(name.as_bytes())
}

/// Goes from value to value of an object or a list that was checked, over what is in them.
struct Walk<'j> {
    scanner: Scanner<'j>,
    /// Those that begin behind here, and maybe some that were passed.
    containers: &'j [Container],
}

impl Walk<'_> {
    /// A member's name is a value too.
    fn next_value(&mut self) -> Option<Span> {
        loop {
            match self.scanner.next_byte()? {
                b',' | b':' => self.scanner.at += 1,
                b']' | b'}' => return None,
                _ => break,
            }
        }
        let from = u32::try_from(self.scanner.at).ok()?;
        let passed = self.containers.partition_point(|it| it.span.from < from);
        self.containers = &self.containers[passed..];
        match self.containers.first() {
            Some(it) if it.span.from == from => self.scanner.at = it.span.range().end,
            _ => self.scanner.scalar()?,
        }
        Some(Span { from, to: u32::try_from(self.scanner.at).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::integration::{JsonPath, resources::ResponsePath};
    use serde_json::json;

    use super::*;

    fn read(text: &'static str) -> Json {
        Json::read(Bytes::from_static(text.as_bytes())).unwrap_or_else(|| panic!("{text} is JSON"))
    }

    fn at(document: &'static str, path: &str) -> Option<String> {
        let found = ResponsePath::parse(path).find(read(document)).expect("plain names")?;
        Some(String::from_utf8(found.text().to_vec()).expect("text"))
    }

    #[test]
    fn what_a_path_leads_to_is_as_it_was_written() {
        for (document, path, text) in [
            (
                r#" {"data" : {"items":[ 1.0, 9007199254740993 ,"\u00e9\/"] } } "#,
                "data.items",
                r#"[ 1.0, 9007199254740993 ,"\u00e9\/"]"#,
            ),
            (r#"{"a":[[],{}],"b":{"a":{"c":1}},"c":-0.10E+2}"#, "c", "-0.10E+2"),
            (r#"{"a":"}],{","b":"\\\"","c":null}"#, "c", "null"),
            // The last of several is the one, also under a name that is written in another way.
            (r#"{"a":1,"a":2}"#, "a", "2"),
            (r#"{"a":1,"\u0061":[3]}"#, "a", "[3]"),
            (r#"{"a":{"b":1},"a":{}}"#, "a", "{}"),
        ] {
            assert_eq!(at(document, path).as_deref(), Some(text), "{document}");
        }
        for (document, path) in
            [(r#"{"a":{"b":1},"a":{}}"#, "a.b"), (r#"{"a":"b"}"#, "a.b"), (r#"{"\\a":1}"#, "a"), ("7", "a")]
        {
            assert_eq!(at(document, path), None, "{document}");
        }
    }

    #[test]
    fn an_item_is_found_by_its_number() {
        let document = read(r#"[{"id":1},[2],{"id":"c","next.page":{"at":[null,7]}}]"#);
        let find =
            |path: &str| JsonPath::parse(path).expect("a path").find(document.clone()).map(|found| found.value());
        assert_eq!(find("0.id"), Some(json!(1)));
        assert_eq!(find("1.0"), Some(json!(2)));
        assert_eq!(find("2.next.page.at.1"), Some(json!(7)));
        assert_eq!((find("3"), find("0.0"), find("2.id.0")), (None, None, None));
        assert_eq!(
            (document.item_count(), read(" [ ] ").item_count(), read("{}").item_count()),
            (Some(3), Some(0), None)
        );
    }
}
