//! Templates of URLs and paths. Whatever an account's values are, a filled URL stays where its template leads, and a filled
//! path has as many segments as its template.

use std::borrow::Cow;

use url::form_urlencoded;

use super::web_url::{UrlPath, WebUrl};
use crate::template::{FillError, IfMissing, Piece, Placeholder, Scope, TextTemplate, split_first};

/// A path with an optional query, which may hold placeholders: `/users/{{id}}?view={{query.view:str:undefined}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    path: TextTemplate,
    query: Option<TextTemplate>,
}

/// Why a text is not a template of a path or a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlTemplateError(String);

/// A text whose placeholders stand apart from what is around them.
struct Split<'t> {
    parts: Vec<Part<'t>>,
}

#[derive(Clone, Copy)]
enum Part<'t> {
    Text(&'t str),
    /// With its braces.
    Placeholder(&'t str),
}

impl<'t> Split<'t> {
    fn of(text: &'t str) -> Result<Self, UrlTemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, inside, behind)) = split_first(rest) {
            parts.push(Part::Text(before));
            parts.push(Part::Placeholder(&rest[before.len()..before.len() + inside.len() + 4]));
            rest = behind;
        }
        parts.push(Part::Text(rest));
        let is_stray = |part: &Part<'_>| matches!(part, Part::Text(text) if text.contains("{{"));
        if parts.iter().any(is_stray) {
            return Err(UrlTemplateError(
                "contains {{ that begins no placeholder; a placeholder is a name between {{ and }}, such as {{subdomain}}"
                    .to_owned(),
            ));
        }
        Ok(Self { parts })
    }

    /// As it is written, with a letter in place of each placeholder.
    fn example(&self) -> String {
        let text = |part: &Part<'t>| match part {
            Part::Text(text) => *text,
            Part::Placeholder(_) => "x",
        };
        self.parts.iter().map(text).collect()
    }

    /// Where the first of these characters stands outside of the placeholders.
    fn find(&self, wanted: &[char]) -> Option<usize> {
        let mut at = 0;
        for part in &self.parts {
            match part {
                Part::Text(text) => match text.find(wanted) {
                    Some(found) => return Some(at + found),
                    None => at += text.len(),
                },
                Part::Placeholder(text) => at += text.len(),
            }
        }
        None
    }
}

impl PathTemplate {
    /// `/`
    pub(crate) fn root() -> Self {
        Self { path: TextTemplate::parse("/"), query: None }
    }

    /// Parses a path. One that doesn't begin with a slash gets one.
    pub fn parse(text: &str) -> Result<Self, UrlTemplateError> {
        let text = if text.starts_with('/') { Cow::Borrowed(text) } else { Cow::Owned(format!("/{text}")) };
        let split = Split::of(&text)?;
        UrlPath::parse(&split.example()).map_err(|error| UrlTemplateError(error.to_string()))?;
        let (path, query) = match split.find(&['?']) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (&*text, None),
        };
        Ok(Self { path: TextTemplate::parse(path), query: query.map(TextTemplate::parse) })
    }

    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.path.placeholders().chain(self.query.iter().flat_map(TextTemplate::placeholders))
    }

    /// Fills it: each value is percent-encoded as one segment or a part of one (RFC 3986 §3.3), in the query as a value of a
    /// parameter. A placeholder for which nothing is found is an error.
    pub fn fill(&self, scope: &Scope<'_>) -> Result<UrlPath, FillError> {
        let path = self.fill_path(scope)?;
        let query = match &self.query {
            Some(query) => {
                Some(encoded(query, scope, |text| form_urlencoded::byte_serialize(text.as_bytes()).collect())?)
            }
            None => None,
        };
        Ok(UrlPath::filled(path, query))
    }

    fn fill_path(&self, scope: &Scope<'_>) -> Result<String, FillError> {
        let mut path = String::new();
        let mut last: Option<Inserted<'_>> = None;
        let pieces = self.path.pieces(scope, IfMissing::Fail)?;
        for piece in &pieces.pieces {
            match piece {
                Piece::Literal(text) => {
                    for (at, part) in text.split('/').enumerate() {
                        if at > 0 {
                            end_segment(&path, last.take().as_ref())?;
                            path.push('/');
                        }
                        path.push_str(part);
                    }
                }
                Piece::Value { placeholder, text } => {
                    push_encoded(&mut path, text);
                    let may_be_empty = text.is_empty() && placeholder.has_fallback();
                    last = Some(Inserted { placeholder, may_be_empty });
                }
            }
        }
        end_segment(&path, last.as_ref())?;
        Ok(path)
    }
}

/// What was put into a segment.
struct Inserted<'a> {
    placeholder: &'a Placeholder,
    /// Whether the definition says what an absent value becomes.
    may_be_empty: bool,
}

/// Checks the last segment of a path that ends here, if a value is in it.
fn end_segment(path: &str, last: Option<&Inserted<'_>>) -> Result<(), FillError> {
    let Some(&Inserted { placeholder, may_be_empty }) = last else { return Ok(()) };
    let segment = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
    if matches!(segment.as_str(), "." | "..") || segment.is_empty() && !may_be_empty {
        return Err(FillError::NotASegment { placeholder: placeholder.source().to_owned() });
    }
    Ok(())
}

fn encoded(template: &TextTemplate, scope: &Scope<'_>, encode: impl Fn(&str) -> String) -> Result<String, FillError> {
    let pieces = template.pieces(scope, IfMissing::Fail)?;
    let text = |piece: &Piece<'_>| match piece {
        Piece::Literal(text) => (*text).to_owned(),
        Piece::Value { text, .. } => encode(text),
    };
    Ok(pieces.pieces.iter().map(text).collect())
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
fn push_encoded(into: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(HEX[usize::from(nibble)]);
            into.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// An absolute URL that may hold placeholders: `https://{{subdomain}}.example.com/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Fixed(WebUrl),
    Filled(Box<Filled>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Filled {
    host: HostTemplate,
    path: Option<PathTemplate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostTemplate {
    /// The host is written out.
    Fixed(WebUrl),
    /// Each placeholder is a label, or a part of one: `https://{{subdomain}}.example.com`.
    Labels(TextTemplate),
    /// The host is a value: `https://{{host}}`.
    Host(TextTemplate),
    /// The value is a host, or a URL that ends after its host: `{{instance_url}}`.
    Origin(TextTemplate),
}

impl From<WebUrl> for UrlTemplate {
    fn from(url: WebUrl) -> Self {
        Self(Kind::Fixed(url))
    }
}

impl UrlTemplate {
    pub fn parse(text: &str) -> Result<Self, UrlTemplateError> {
        let fail = |error: &dyn std::fmt::Display| UrlTemplateError(error.to_string());
        let split = Split::of(text)?;
        if split.parts.len() == 1 {
            return WebUrl::parse(text).map(|url| Self(Kind::Fixed(url))).map_err(|error| fail(&error));
        }
        let starts_with_value = matches!(split.parts.as_slice(), [Part::Text(""), ..]);
        let example = if starts_with_value { format!("https://{}", split.example()) } else { split.example() };
        WebUrl::parse(&example).map_err(|error| fail(&error))?;

        let authority = match (starts_with_value, text.find("://")) {
            (true, _) | (false, None) => 0,
            (false, Some(at)) => at + 3,
        };
        let rest = Split::of(&text[authority..])?;
        let end = authority + rest.find(&['/', '?']).unwrap_or(text.len() - authority);
        let (origin, path) = text.split_at(end);
        let host = Split::of(&origin[authority..])?;
        let host = match host.parts.as_slice() {
            [_] => HostTemplate::Fixed(WebUrl::parse(origin).map_err(|error| fail(&error))?),
            [Part::Text(""), Part::Placeholder(value), Part::Text("")] if starts_with_value => {
                HostTemplate::Origin(TextTemplate::parse(value))
            }
            [Part::Text(""), Part::Placeholder(value), Part::Text("")] => {
                HostTemplate::Host(TextTemplate::parse(value))
            }
            _ if starts_with_value => {
                return Err(UrlTemplateError(
                    "begins with a placeholder and goes on with more of a host; write https:// before it".to_owned(),
                ));
            }
            _ => HostTemplate::Labels(TextTemplate::parse(origin)),
        };
        let path = (!path.is_empty()).then(|| PathTemplate::parse(path)).transpose()?;
        Ok(Self(Kind::Filled(Box::new(Filled { host, path }))))
    }

    /// The URL, if nothing in it is filled.
    pub const fn as_fixed(&self) -> Option<&WebUrl> {
        if let Kind::Fixed(url) = &self.0 { Some(url) } else { None }
    }

    /// Whether an account's value decides to which host a call goes, and not only to which part of a known one. Where that
    /// may be is for the definition's `origins` to say (contract section 4.9).
    pub const fn is_any_host(&self) -> bool {
        matches!(&self.0, Kind::Filled(filled) if matches!(filled.host, HostTemplate::Host(_) | HostTemplate::Origin(_)))
    }

    pub fn placeholders(&self) -> Vec<&Placeholder> {
        let Kind::Filled(filled) = &self.0 else { return Vec::new() };
        let host = match &filled.host {
            HostTemplate::Fixed(_) => None,
            HostTemplate::Labels(text) | HostTemplate::Host(text) | HostTemplate::Origin(text) => Some(text),
        };
        let in_host = host.into_iter().flat_map(TextTemplate::placeholders);
        in_host.chain(filled.path.iter().flat_map(PathTemplate::placeholders)).collect()
    }

    /// Fills it for an account. The result is as good as one that was written out, except that it may lead to a private
    /// address: see [`WebUrl::reach`].
    pub fn fill(&self, scope: &Scope<'_>) -> Result<WebUrl, FillError> {
        let Filled { host, path } = match &self.0 {
            Kind::Fixed(url) => return Ok(url.clone()),
            Kind::Filled(filled) => &**filled,
        };
        let origin = match host {
            HostTemplate::Fixed(url) => url.clone(),
            HostTemplate::Labels(text) => labels(text, scope)?,
            HostTemplate::Host(text) => whole_host(text, scope, false)?,
            HostTemplate::Origin(text) => whole_host(text, scope, true)?,
        };
        Ok(match path {
            Some(path) => origin.append(&path.fill(scope)?),
            None => origin,
        })
    }
}

fn web_url(text: &str) -> Result<WebUrl, FillError> {
    // Its error may quote the value.
    WebUrl::parse(text)
        .map_err(|_| FillError::Url { problem: "it is not https, or its host is not one that Relink calls".to_owned() })
}

fn labels(template: &TextTemplate, scope: &Scope<'_>) -> Result<WebUrl, FillError> {
    let pieces = template.pieces(scope, IfMissing::Fail)?;
    let mut text = String::new();
    for piece in &pieces.pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Value { text: value, .. } if is_label(value) => text.push_str(value),
            Piece::Value { placeholder, .. } => {
                return Err(FillError::NotALabel { placeholder: placeholder.source().to_owned() });
            }
        }
    }
    web_url(&text)
}

fn whole_host(template: &TextTemplate, scope: &Scope<'_>, may_be_url: bool) -> Result<WebUrl, FillError> {
    let pieces = template.pieces(scope, IfMissing::Fail)?;
    let [Piece::Value { placeholder, text }] = pieces.pieces.as_slice() else {
        return Err(FillError::NotAHost { placeholder: String::new() });
    };
    let not_a_host = || FillError::NotAHost { placeholder: placeholder.source().to_owned() };
    if is_host(text) {
        return web_url(&format!("https://{text}"));
    }
    let url = WebUrl::parse(text).map_err(|_| not_a_host())?;
    if may_be_url && url.is_bare_origin() { Ok(url) } else { Err(not_a_host()) }
}

/// A label of a host name (RFC 1123 §2.1): letters, digits and hyphens, with no hyphen at either end.
fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_host(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
#[path = "url_template_tests.rs"]
mod tests;
