//! XML as a value, in the compact form of the npm library xml-js (contract section 4.6): an element is an object of its children,
//! with its text under `_text`, its attributes under `_attributes`, and a list where a name comes several times.

use quick_xml::{
    Reader, XmlVersion,
    escape::{escape, partial_escape, resolve_predefined_entity},
    events::{BytesStart, Event},
};
use serde_json::{Map, Value};

use super::parameters::text;

/// Elements in each other, at most.
const MAX_DEPTH: usize = 128;
const TEXT: &str = "_text";
const CDATA: &str = "_cdata";
const ATTRIBUTES: &str = "_attributes";
/// What xml-js has for the rest of a document. It is neither read nor written.
const OTHERS: &[&str] = &["_declaration", "_instruction", "_comment", "_doctype"];

/// An element that isn't closed yet.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

/// A document. `None`: it is none, or is nested too deep. Entities that a document declares itself are never expanded: it is refused.
pub(super) fn read(document: &str) -> Option<Value> {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Open { name: String::new(), members: Map::new(), text: String::new() }];
    loop {
        let event = reader.read_event().ok()?;
        let here = open.last_mut()?;
        match event {
            Event::Start(start) => {
                here.end_text();
                if open.len() > MAX_DEPTH {
                    return None;
                }
                open.push(Open::new(&start)?);
            }
            Event::Empty(start) => {
                here.end_text();
                let Open { name, members, .. } = Open::new(&start)?;
                add(&mut here.members, name, Value::Object(members));
            }
            Event::End(_) => {
                let mut closed = open.pop()?;
                closed.end_text();
                add(&mut open.last_mut()?.members, closed.name, Value::Object(closed.members));
            }
            Event::Text(part) => here.text.push_str(&part.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(c) => here.text.push(c),
                None => here.text.push_str(resolve_predefined_entity(&reference.xml10_content())?),
            },
            Event::CData(part) => {
                here.end_text();
                add(&mut here.members, CDATA.to_owned(), part.xml10_content().into());
            }
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    let [root] = open.try_into().ok()?;
    let Open { members, text, .. } = root;
    (!members.is_empty() && text.trim().is_empty()).then_some(Value::Object(members))
}

impl Open {
    fn new(start: &BytesStart<'_>) -> Option<Self> {
        let mut attributes = Map::new();
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            attributes.insert(attribute.key.as_ref().to_owned(), value.into());
        }
        let mut members = Map::new();
        if !attributes.is_empty() {
            members.insert(ATTRIBUTES.to_owned(), Value::Object(attributes));
        }
        Some(Self { name: start.name().as_ref().to_owned(), members, text: String::new() })
    }

    /// White space between elements is no text.
    fn end_text(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            add(&mut self.members, TEXT.to_owned(), text.into());
        }
    }
}

fn add(members: &mut Map<String, Value>, name: String, value: Value) {
    match members.get_mut(&name) {
        None => {
            members.insert(name, value);
        }
        Some(Value::Array(several)) => several.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// A document with one root element. `None`: the value isn't one in this form, or a name isn't one of XML.
pub(super) fn write(value: &Value) -> Option<String> {
    let members = value.as_object()?;
    let mut roots = members.iter().filter(|(name, _)| !OTHERS.contains(&name.as_str()));
    let (Some((name, root)), None) = (roots.next(), roots.next()) else { return None };
    let mut document = String::new();
    element(&mut document, name, root, 0)?;
    (!root.is_array()).then_some(document)
}

fn element(into: &mut String, name: &str, value: &Value, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH || !is_name(name) {
        return None;
    }
    if let Value::Array(several) = value {
        return several.iter().try_for_each(|one| if one.is_array() { None } else { element(into, name, one, depth) });
    }
    into.push('<');
    into.push_str(name);
    if let Some(attributes) = value.get(ATTRIBUTES) {
        for (name, value) in attributes.as_object()? {
            let value = text(value).filter(|_| is_name(name))?;
            into.extend([" ", name, "=\"", &escape(value), "\""]);
        }
    }
    let start = into.len();
    into.push('>');
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != ATTRIBUTES) {
                let several =
                    if let Value::Array(several) = value { several.as_slice() } else { std::slice::from_ref(value) };
                match name.as_str() {
                    TEXT => into.extend(several.iter().filter_map(text).map(|text| partial_escape(text).into_owned())),
                    // `]]>` would end it.
                    CDATA => into.extend(
                        several
                            .iter()
                            .filter_map(text)
                            .map(|text| format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))),
                    ),
                    _ if OTHERS.contains(&name.as_str()) => {}
                    _ => element(into, name, value, depth + 1)?,
                }
            }
        }
        scalar => into.extend(text(scalar).map(|text| partial_escape(text).into_owned())),
    }
    if into.len() == start + 1 {
        into.truncate(start);
        into.push_str("/>");
    } else {
        into.extend(["</", name, ">"]);
    }
    Some(())
}

/// A name of XML 1.0 §2.3, without the rarer of its characters.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_becomes_compact() {
        for (document, value) in [
            ("<a/>", json!({"a": {}})),
            ("<a> </a>", json!({"a": {}})),
            ("<?xml version=\"1.0\"?>\n<!-- c -->\n<a>x &amp; y&#33;</a>\n", json!({"a": {"_text": "x & y!"}})),
            (
                "<list n=\"1\" m='a&lt;b'><item>1</item> <item><id>2</id></item></list>",
                json!({"list": {"_attributes": {"n": "1", "m": "a<b"}, "item": [{"_text": "1"}, {"id": {"_text": "2"}}]}}),
            ),
            ("<a>x<b/>y</a>", json!({"a": {"_text": ["x", "y"], "b": {}}})),
            ("<a><![CDATA[<b>]]></a>", json!({"a": {"_cdata": "<b>"}})),
            ("<s:e xmlns:s=\"u\"><s:b/></s:e>", json!({"s:e": {"_attributes": {"xmlns:s": "u"}, "s:b": {}}})),
        ] {
            assert_eq!(read(document), Some(value), "{document}");
        }
    }

    #[test]
    fn what_is_no_document_is_nothing() {
        let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"xxxx\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        for document in ["", "x", "<a>", "</a>", "<a></b>", "<a>&nbsp;</a>", "<a/>x", "{\"a\": 1}", &deep, bomb] {
            assert_eq!(read(document), None, "{document}");
        }
    }

    #[test]
    fn what_could_break_out_is_escaped_or_refused() {
        let value = json!({"_declaration": {}, "a": {"_attributes": {"q": "\"><x/>"}, "b": "<&>", "_cdata": "]]><c/>", "n": null, "e": {}}});
        let document = write(&value).expect("a document");
        let again = read(&document).expect("it can be read");
        assert_eq!(again["a"]["_attributes"]["q"], "\"><x/>", "{document}");
        assert_eq!(again["a"]["b"]["_text"], "<&>");
        assert_eq!(again["a"]["_cdata"], json!(["]]", "><c/>"]));
        assert_eq!((&again["a"]["n"], &again["a"]["e"]), (&json!({}), &json!({})));
        for value in [
            json!({}),
            json!({"a": 1, "b": 1}),
            json!({"a": [1]}),
            json!({"<x>": 1}),
            json!({"a": {"b c": 1}}),
            json!({"a": {"_attributes": {"x=\"\" y": 1}}}),
            json!([]),
            json!("x"),
        ] {
            assert_eq!(write(&value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_document_is_too_strange(document in "(<|>|/|a|b|=|\"|'|&|;|\\!|\\[|\\]|-|CDATA| |\\?|\\PC){0,40}") {
            if let Some(value) = read(&document)
                && let Some(written) = write(&value)
            {
                prop_assert!(read(&written).is_some(), "{written}");
            }
        }
    }
}
