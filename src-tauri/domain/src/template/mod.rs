//! Templates: texts, objects and arrays with placeholders (contract section 4.5), exactly as Truto's library
//! `@truto/replace-placeholders` reads them. `tests/templates/differences.jsonl` lists where Relink differs, and why.
//!
//! A template is compiled once, from a definition; filling it parses nothing. It is filled from a [`Scope`], and what it
//! becomes depends on where it goes:
//!
//! | goes to | type | gives |
//! |---|---|---|
//! | a body, a query | [`Template`] | [`Filled`]: any value, and whether a secret is in it |
//! | a header, a parameter with a credential | [`TextTemplate::fill_secret`] | a [`Secret`](crate::Secret), always |
//! | a path | [`PathTemplate`](crate::integration::PathTemplate) | each value as one percent-encoded segment |
//! | a host | [`UrlTemplate`](crate::integration::UrlTemplate) | a URL whose filled parts are labels of its host |
//!
//! **Invariant:** a value is never read as a template. Whatever stands in an account or in a call is put in as it is.

mod cast;
mod error;
mod js;
mod merge;
mod path;
mod placeholder;
mod scope;
mod text;

#[cfg(test)]
mod tests;

use serde_json::Value;
use zeroize::Zeroize;

pub(crate) use self::merge::MERGE_KEY;
use self::merge::{Key, Tree};
pub use self::{
    error::{FillError, MissingValue, PlaceholderError},
    placeholder::{Placeholder, Reference},
    scope::{Root, Scope},
    text::TextTemplate,
};
pub(crate) use self::{
    placeholder::{default_text, split_first},
    text::{IfMissing, Piece},
};

/// A JSON value whose texts are templates. Its keys aren't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Constant(Value),
    Text(TextTemplate),
    Array(Vec<Self>),
    Object(Vec<(Key, Self)>),
}

impl Template {
    pub fn compile(value: &Value) -> Self {
        Self(Node::compile(value))
    }

    /// All of its placeholders, in their order.
    pub fn placeholders(&self) -> Vec<&Placeholder> {
        let mut found = Vec::new();
        self.0.visit(&mut |text| found.extend(text.placeholders()));
        found
    }

    /// The members of an object that have such a placeholder. What a `$truto_merge` adds has no name before it is filled.
    pub fn members_with(&self, is_wanted: impl Fn(&Placeholder) -> bool) -> Vec<&str> {
        let Node::Object(members) = &self.0 else { return Vec::new() };
        let has_wanted = |member: &Node| {
            let mut found = false;
            member.visit(&mut |text| found |= text.placeholders().any(&is_wanted));
            found
        };
        let names = members.iter().filter(|(_, member)| has_wanted(member)).map(|(key, _)| match key {
            Key::Name(name) => name.as_str(),
            Key::Merge => MERGE_KEY,
        });
        names.collect()
    }

    /// Fills it as the library does: a placeholder for which nothing is found stays as written, and a member that becomes
    /// undefined vanishes.
    pub fn fill(&self, scope: &Scope<'_>) -> Result<Filled, FillError> {
        match &self.0 {
            Node::Text(text) => text.fill(scope),
            node => {
                let mut has_secret = false;
                let value = node.fill(scope, &mut has_secret)?.settle();
                Ok(Filled::new(value, has_secret))
            }
        }
    }
}

impl Node {
    fn compile(value: &Value) -> Self {
        match value {
            Value::String(text) => {
                let template = TextTemplate::parse(text);
                if template.as_constant().is_some() { Self::Constant(value.clone()) } else { Self::Text(template) }
            }
            Value::Array(items) => Self::Array(items.iter().map(Self::compile).collect()).or_constant(value),
            Value::Object(members) => {
                let key = |name: &String| if name == MERGE_KEY { Key::Merge } else { Key::Name(name.clone()) };
                Self::Object(members.iter().map(|(name, member)| (key(name), Self::compile(member))).collect())
                    .or_constant(value)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Constant(value.clone()),
        }
    }

    /// The value itself, if nothing in it is filled.
    fn or_constant(self, value: &Value) -> Self {
        let is_constant = match &self {
            Self::Array(items) => items.iter().all(|item| matches!(item, Self::Constant(_))),
            Self::Object(members) => {
                members.iter().all(|(key, member)| *key != Key::Merge && matches!(member, Self::Constant(_)))
            }
            Self::Constant(_) | Self::Text(_) => false,
        };
        if is_constant { Self::Constant(value.clone()) } else { self }
    }

    fn visit<'n>(&'n self, see: &mut impl FnMut(&'n TextTemplate)) {
        match self {
            Self::Constant(_) => {}
            Self::Text(text) => see(text),
            Self::Array(items) => items.iter().for_each(|item| item.visit(see)),
            Self::Object(members) => members.iter().for_each(|(_, member)| member.visit(see)),
        }
    }

    fn fill(&self, scope: &Scope<'_>, has_secret: &mut bool) -> Result<Tree, FillError> {
        Ok(match self {
            Self::Constant(value) => Tree::Value(value.clone()),
            Self::Text(text) => {
                let mut filled = text.fill(scope)?;
                *has_secret |= filled.holds_secret;
                filled.value.take().map_or(Tree::Undefined, Tree::Value)
            }
            Self::Array(items) => {
                Tree::Array(items.iter().map(|item| item.fill(scope, has_secret)).collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let fill = |(key, member): &(Key, Self)| Ok((key.clone(), member.fill(scope, has_secret)?));
                Tree::Object(members.iter().map(fill).collect::<Result<_, FillError>>()?)
            }
        })
    }
}

/// A filled template. It may hold a secret: then it is wiped when dropped, and printed as `<redacted>` in any case.
pub struct Filled {
    value: Option<Value>,
    holds_secret: bool,
}

impl Filled {
    const fn new(value: Option<Value>, holds_secret: bool) -> Self {
        Self { value, holds_secret }
    }

    /// The value, for the provider. None: undefined, so whatever it stands for is left out.
    pub const fn expose(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// Whether a credential is in it, so that it must not be stored, logged or shown.
    pub const fn holds_secret(&self) -> bool {
        self.holds_secret
    }

    /// The value, unless it holds a secret.
    pub fn into_plain(mut self) -> Result<Option<Value>, Self> {
        if self.holds_secret { Err(self) } else { Ok(self.value.take()) }
    }
}

impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        if let (true, Some(value)) = (self.holds_secret, &mut self.value) {
            wipe(value);
        }
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
