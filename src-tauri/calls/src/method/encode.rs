//! Bodies as a method's `body_format` wants them, and the caller's body as a value.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use relink_domain::integration::resources::BodyEncoding;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{
    answer::essence,
    multipart::{self, Parts},
    parameters, xml,
};

/// A body, with its type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) content_type: Option<HeaderValue>,
    pub(super) bytes: Bytes,
}

/// Why a body can't be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("The method sends its body as a form or as multipart, so the body must be a JSON object.")]
    NotAnObject,
    #[error(
        "The method sends its body as XML. It must be an object with one member, the root element, and each name must be one of XML."
    )]
    NotXml,
    #[error("The body's multipart parts can't be read.")]
    Multipart,
    #[error("The body is longer than {} MiB. Send it with truto_body_passthrough=true, which has no limit.", super::MAX_BODY >> 20)]
    TooLong,
}

impl BodyError {
    /// The stable error code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAnObject => "body_not_an_object",
            Self::NotXml => "body_not_xml",
            Self::Multipart => "body_multipart_malformed",
            Self::TooLong => "body_too_long",
        }
    }
}

/// Writes a value.
pub(super) fn encode(value: &Value, encoding: BodyEncoding) -> Result<Encoded, BodyError> {
    let fixed = |content_type: &'static str, bytes: Vec<u8>| Encoded {
        content_type: Some(HeaderValue::from_static(content_type)),
        bytes: bytes.into(),
    };
    let object = || value.as_object().ok_or(BodyError::NotAnObject);
    Ok(match encoding {
        BodyEncoding::Json => fixed("application/json", value.to_string().into_bytes()),
        BodyEncoding::Form(options) => {
            let pairs = parameters::pairs(object()?, options.array_format);
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            fixed("application/x-www-form-urlencoded", text.into_bytes())
        }
        BodyEncoding::Multipart => {
            let (boundary, bytes) = multipart::write(object()?);
            let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}")).ok();
            Encoded { content_type, bytes: bytes.into() }
        }
        BodyEncoding::Raw => match value {
            Value::String(text) => fixed("text/plain; charset=utf-8", text.clone().into_bytes()),
            value => fixed("application/json", value.to_string().into_bytes()),
        },
        BodyEncoding::Xml => fixed("application/xml", xml::write(value).ok_or(BodyError::NotXml)?.into_bytes()),
    })
}

/// The caller's body.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CallersBody {
    None,
    Value(Value),
    /// What is no JSON goes on with its type, unless a template puts it into another body.
    Text {
        text: String,
        content_type: Option<HeaderValue>,
    },
    Bytes {
        bytes: Bytes,
        content_type: Option<HeaderValue>,
    },
}

impl CallersBody {
    /// JSON is read as such whatever its type, because clients of Truto send it under several (contract section 0.2). The fields of
    /// a form become an object.
    pub(super) fn read(headers: &HeaderMap, bytes: Bytes) -> Result<Self, BodyError> {
        let content_type = headers.get(CONTENT_TYPE);
        let kind = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if bytes.trim_ascii().is_empty() {
            // `application/json` without a body is an empty object, to clients that always name a type.
            return Ok(Self::None);
        }
        match essence(headers).as_str() {
            "multipart/form-data" => {
                let fields = multipart::read(kind, &bytes).ok_or(BodyError::Multipart)?;
                return Ok(match fields {
                    Parts::Fields(fields) => Self::Value(Value::Object(fields)),
                    Parts::Binary => Self::Bytes { bytes, content_type: content_type.cloned() },
                });
            }
            "application/x-www-form-urlencoded" => {
                let mut fields = parameters::Parameters::default();
                fields.read_form(&bytes);
                return Ok(Self::Value(Value::Object(fields.forwarded)));
            }
            _ => {}
        }
        if let Ok(value) = serde_json::from_slice(&bytes) {
            return Ok(Self::Value(value));
        }
        let content_type = content_type.cloned();
        Ok(match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Self::Text { text, content_type },
            Err(_) => Self::Bytes { bytes, content_type },
        })
    }

    /// Takes a member out of an object.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let Self::Value(Value::Object(members)) = self else { return None };
        let taken = members.shift_remove(name);
        if taken.is_some() && members.is_empty() {
            *self = Self::None;
        }
        taken
    }
}

/// What a caller's body says.
#[derive(Debug, Clone, PartialEq)]
pub enum BodyValue {
    /// There is none.
    None,
    /// JSON whatever its type, or the fields of a form.
    Value(Value),
    /// The fields of a form with files, which can only go as it was sent. A file's field is an object with its `file_name`.
    Files(Map<String, Value>),
    /// Another that can only go as it was sent.
    Opaque,
}

/// Reads a caller's body.
pub fn value_of_body(headers: &HeaderMap, bytes: Bytes) -> Result<BodyValue, BodyError> {
    if essence(headers) == "multipart/form-data" {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if let Some(fields) = multipart::with_files(kind, &bytes) {
            return Ok(BodyValue::Files(fields));
        }
    }
    Ok(match CallersBody::read(headers, bytes)? {
        CallersBody::None => BodyValue::None,
        CallersBody::Value(value) => BodyValue::Value(value),
        CallersBody::Text { .. } | CallersBody::Bytes { .. } => BodyValue::Opaque,
    })
}

/// Adds the query's parameters to a body. The body's own members win.
pub(super) fn with_query(body: Option<Value>, query: &Map<String, Value>) -> Result<Option<Value>, BodyError> {
    let mut members = query.clone();
    match body {
        None | Some(Value::Null) => {}
        Some(Value::Object(own)) => parameters::merge(&mut members, own),
        Some(_) => return Err(BodyError::NotAnObject),
    }
    Ok(Some(Value::Object(members)))
}

#[cfg(test)]
mod tests {
    use relink_domain::integration::resources::{ArrayFormat, FormOptions};
    use serde_json::json;

    use super::*;

    fn written(value: &Value, encoding: BodyEncoding) -> Result<(String, String), BodyError> {
        let Encoded { content_type, bytes } = encode(value, encoding)?;
        let kind = content_type.expect("a type").to_str().expect("text").to_owned();
        Ok((kind, String::from_utf8(bytes.to_vec()).expect("text")))
    }

    #[test]
    fn each_format_is_written() {
        let form = |array_format| BodyEncoding::Form(FormOptions { array_format });
        let value = json!({"a": "x y", "b": [1, null], "c": {"d": true}, "n": null});
        for (encoding, kind, text) in [
            (BodyEncoding::Json, "application/json", r#"{"a":"x y","b":[1,null],"c":{"d":true},"n":null}"#),
            (form(ArrayFormat::Brackets), "application/x-www-form-urlencoded", "a=x+y&b%5B%5D=1&c%5Bd%5D=true"),
            (form(ArrayFormat::Comma), "application/x-www-form-urlencoded", "a=x+y&b=1&c%5Bd%5D=true"),
            (
                BodyEncoding::Multipart,
                "multipart/form-data; boundary=relink-00000000000000000000",
                "--relink-00000000000000000000\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx y\r\n--relink-00000000000000000000\r\nContent-Disposition: form-data; \
                 name=\"b\"\r\n\r\n1\r\n--relink-00000000000000000000\r\nContent-Disposition: form-data; name=\"c\"\r\nContent-Type: \
                 application/json\r\n\r\n{\"d\":true}\r\n--relink-00000000000000000000--\r\n",
            ),
            (BodyEncoding::Raw, "application/json", r#"{"a":"x y","b":[1,null],"c":{"d":true},"n":null}"#),
        ] {
            assert_eq!(written(&value, encoding), Ok((kind.to_owned(), text.to_owned())), "{encoding:?}");
        }
        let xml = written(&json!({"r": {"_attributes": {"v": "1"}, "i": ["a", 2]}}), BodyEncoding::Xml);
        assert_eq!(xml.expect("XML").1, r#"<r v="1"><i>a</i><i>2</i></r>"#);
        assert_eq!(written(&json!("<a/>"), BodyEncoding::Raw).expect("text").1, "<a/>");
        for (value, encoding, error) in [
            (json!([1]), BodyEncoding::Multipart, BodyError::NotAnObject),
            (json!("x"), form(ArrayFormat::Repeat), BodyError::NotAnObject),
            (json!([1]), BodyEncoding::Xml, BodyError::NotXml),
            (json!({"a": 1, "b": 2}), BodyEncoding::Xml, BodyError::NotXml),
            (json!({"a b": 1}), BodyEncoding::Xml, BodyError::NotXml),
        ] {
            assert_eq!(written(&value, encoding), Err(error), "{value}");
        }
    }

    #[test]
    fn a_callers_body_is_read_by_what_it_is() {
        let read = |kind: &'static str, body: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            CallersBody::read(&headers, Bytes::from_static(body.as_bytes()))
        };
        let value = |value| Ok(CallersBody::Value(value));
        assert_eq!(read("application/json", "{\"a\":1}"), value(json!({"a": 1})));
        assert_eq!(read("text/plain;charset=UTF-8", "{\"a\":1}"), value(json!({"a": 1})));
        assert_eq!(read("application/json", " "), Ok(CallersBody::None));
        assert_eq!(
            read("application/x-www-form-urlencoded", "a=1&b[c]=2&limit=3"),
            value(json!({"a": "1", "b": {"c": "2"}, "limit": "3"}))
        );
        let text = CallersBody::Text { text: "a,b".into(), content_type: Some(HeaderValue::from_static("text/csv")) };
        assert_eq!(read("text/csv", "a,b"), Ok(text));
        let parts = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
        assert_eq!(read("multipart/form-data; boundary=x", parts), value(json!({"a": "1"})));
        assert_eq!(read("multipart/form-data", parts), Err(BodyError::Multipart));
        let bytes = CallersBody::read(&HeaderMap::new(), Bytes::from_static(b"\xff")).expect("bytes");
        assert_eq!(bytes, CallersBody::Bytes { bytes: Bytes::from_static(b"\xff"), content_type: None });
    }

    #[test]
    fn a_member_for_relink_is_taken_out() {
        let mut body = CallersBody::Value(json!({"methodConfig": {"path": "/"}, "a": 1}));
        assert_eq!(body.take("methodConfig"), Some(json!({"path": "/"})));
        assert_eq!(body, CallersBody::Value(json!({"a": 1})));
        assert_eq!(body.take("a"), Some(json!(1)));
        assert_eq!((body.take("a"), body), (None, CallersBody::None));
    }

    #[test]
    fn the_query_is_added_below_the_bodys_members() {
        let query = json!({"a": 1, "b": {"c": 1}}).as_object().expect("an object").clone();
        let added = |body| with_query(body, &query);
        assert_eq!(added(None), Ok(Some(json!({"a": 1, "b": {"c": 1}}))));
        assert_eq!(added(Some(json!({"a": 2, "b": {"d": 2}}))), Ok(Some(json!({"a": 2, "b": {"c": 1, "d": 2}}))));
        assert_eq!(added(Some(json!([1]))), Err(BodyError::NotAnObject));
    }
}
