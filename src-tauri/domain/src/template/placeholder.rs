//! One placeholder: `{{alternatives ?: default}}` (contract section 4.5).

use super::{
    cast::{Cast, Filling},
    error::{MissingValue, PlaceholderError},
    js,
    path::{self, Path},
    scope::{ACCESS_TOKEN, Found, Node, REFRESH_TOKEN, RESERVED, SECRET_VARIABLES, Scope},
};

/// A placeholder, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// As written, with its braces.
    source: String,
    alternatives: Vec<Alternative>,
    passes_over_empty: bool,
    if_nothing: IfNothing,
    /// Whether it is the whole text.
    is_whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Alternative {
    /// None: it names nothing.
    path: Option<Path>,
    cast: Cast,
}

/// What stands for a placeholder if none of its paths leads to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum IfNothing {
    Default(Filling<'static>),
    UnknownCast(String),
    Undefined,
    Null,
    /// The placeholder stays in the text as written.
    Itself,
}

/// What a placeholder gives.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    Filled {
        filling: Filling<'a>,
        is_secret: bool,
    },
    Undefined,
    /// Nothing was found, and nothing is said about what to do then.
    Missing,
}

/// What a path names, as far as its text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'p> {
    /// `oauth.token.access_token`.
    AccessToken,
    /// `oauth.token.refresh_token`, which only the steps of a refresh see (contract section 4.8).
    RefreshToken,
    /// A name at the top of the context, where the fields of the form are: `x`, `credentials.x` or `context.x`.
    Field { name: &'p str, is_in_credentials: bool },
    /// `secret_environment_variables.x`.
    SecretVariable,
    /// A path that never leads anywhere, because what would be there is secret: the refresh token, for example.
    Protected,
    /// A value of a call or of the integration, not of the account's context: `body.x`, `environment_variables.y`.
    Root(&'p str),
    /// Anything else of the context.
    Other,
}

impl Reference<'_> {
    /// Whether it is a token that no call is signed with.
    pub const fn is_token_apart(self) -> bool {
        matches!(self, Self::RefreshToken | Self::Protected)
    }
}

/// What a placeholder may consist of between its braces.
const fn is_inner(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '|' | ':' | '?') || js::is_space(c)
}

/// The first placeholder of a text: what is before it, what is between its braces, and what is behind it.
pub(crate) fn split_first(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find("{{")?;
        let inside = &text[open + 2..];
        let end = inside.find(|c| !is_inner(c))?;
        if end > 0 && inside[end..].starts_with("}}") {
            return Some((&text[..open], &inside[..end], &inside[end + 2..]));
        }
        // `{{{a}}` contains a placeholder that begins with its second brace.
        from = open + 1;
    }
}

impl Placeholder {
    /// Compiles what stands between the braces.
    pub(super) fn parse(inside: &str, is_whole: bool) -> Self {
        let mut parts = inside.split("?:");
        let (named, default) = (parts.next().unwrap_or_default(), parts.next().filter(|default| !default.is_empty()));
        let alternatives = named.split('|').map(|text| {
            let mut parts = path::modifiers(text);
            let path = parts.next().and_then(|path| Path::parse(js::trim(path)));
            Alternative { path, cast: parts.next().map_or(Cast::Str, |cast| Cast::parse(js::trim(cast))) }
        });
        let has_flag = |flag: &str| named.split('|').any(|text| text.contains(flag));
        Self {
            source: format!("{{{{{inside}}}}}"),
            alternatives: alternatives.collect(),
            passes_over_empty: has_flag(":ignore-empty-str"),
            if_nothing: match default {
                Some(default) => IfNothing::default(default, is_whole),
                None if has_flag(":undefined") => IfNothing::Undefined,
                None if has_flag(":null") => IfNothing::Null,
                None => IfNothing::Itself,
            },
            is_whole,
        }
    }

    /// As written, with its braces.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What is written between the braces, for people.
    pub fn name(&self) -> &str {
        js::trim(self.source.trim_start_matches('{').trim_end_matches('}'))
    }

    /// Whether it has a value or is left out, whatever the account has.
    pub const fn has_fallback(&self) -> bool {
        !matches!(self.if_nothing, IfNothing::Itself)
    }

    /// Whether something of it would be an error if it counted.
    pub fn problem(&self) -> Option<PlaceholderError> {
        if self.alternatives.iter().any(|alternative| alternative.path.is_none()) {
            return Some(self.no_name());
        }
        let casts = self.alternatives.iter().map(|alternative| &alternative.cast);
        let unknown = casts.filter_map(|cast| if let Cast::Unknown(name) = cast { Some(name) } else { None });
        let in_default = if let IfNothing::UnknownCast(name) = &self.if_nothing { Some(name) } else { None };
        unknown.chain(in_default).next().map(|name| self.unknown_cast(name))
    }

    /// What its paths name, in their order.
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.alternatives.iter().filter_map(|alternative| alternative.path.as_ref()).map(Path::reference)
    }

    /// The fields of the form that it may name.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.references().filter_map(|reference| match reference {
            Reference::Field { name, .. } => Some(name),
            Reference::AccessToken
            | Reference::RefreshToken
            | Reference::SecretVariable
            | Reference::Protected
            | Reference::Root(_)
            | Reference::Other => None,
        })
    }

    /// Whether one of its paths may lead to a secret. `is_secret`: whether the field of this name is one.
    pub fn names_secret(&self, is_secret: impl Fn(&str) -> bool) -> bool {
        self.references().any(|reference| match reference {
            Reference::AccessToken | Reference::RefreshToken | Reference::SecretVariable | Reference::Protected => true,
            Reference::Field { name, .. } => is_secret(name),
            Reference::Root(_) | Reference::Other => false,
        })
    }

    /// The first names of its paths.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        let paths = self.alternatives.iter().filter_map(|alternative| alternative.path.as_ref());
        paths.flat_map(Path::prefixes).filter_map(|names| names.first().copied())
    }

    pub(super) fn fill<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Outcome<'a>, PlaceholderError> {
        for Alternative { path, cast } in &self.alternatives {
            let path = path.as_ref().ok_or_else(|| self.no_name())?;
            let Some(found) = path.find(Node::Root(scope)).and_then(Node::value) else { continue };
            if self.passes_over_empty && matches!(found, Found::Text("") | Found::Secret("")) {
                continue;
            }
            let is_secret = matches!(found, Found::Secret(_));
            let filling = cast.apply(found, self.is_whole).map_err(|unknown| self.unknown_cast(unknown.0))?;
            return Ok(Outcome::Filled { filling, is_secret });
        }
        Ok(match &self.if_nothing {
            IfNothing::Default(filling) => Outcome::Filled { filling: filling.borrowed(), is_secret: false },
            IfNothing::UnknownCast(name) => return Err(self.unknown_cast(name)),
            IfNothing::Null => Outcome::Filled { filling: Filling::Null, is_secret: false },
            IfNothing::Undefined => Outcome::Undefined,
            IfNothing::Itself => Outcome::Missing,
        })
    }

    /// The error if nothing is found for it.
    pub(crate) fn missing(&self, scope: &Scope<'_>) -> MissingValue {
        MissingValue {
            placeholder: self.name().to_owned(),
            is_optional: self.references().any(|reference| match reference {
                Reference::Field { name, .. } => scope.optional.contains(&name),
                Reference::AccessToken => scope.optional.contains(&ACCESS_TOKEN),
                _ => false,
            }),
        }
    }

    fn unknown_cast(&self, cast: &str) -> PlaceholderError {
        PlaceholderError::UnknownCast { placeholder: self.source.clone(), cast: cast.to_owned() }
    }

    fn no_name(&self) -> PlaceholderError {
        PlaceholderError::NoName { placeholder: self.source.clone() }
    }
}

impl IfNothing {
    /// `text:cast`. Unlike a modifier, the cast isn't trimmed.
    fn default(text: &str, is_whole: bool) -> Self {
        let (text, cast) = default_and_cast(text);
        let cast = cast.filter(|cast| !cast.is_empty()).map_or(Cast::Str, Cast::parse);
        match cast.apply(Found::Text(text), is_whole) {
            Ok(filling) => Self::Default(filling.into_owned()),
            Err(unknown) => Self::UnknownCast(unknown.0.to_owned()),
        }
    }
}

/// The text of a default, without its cast.
pub(crate) fn default_text(default: &str) -> &str {
    match default_and_cast(default) {
        (text, Some(cast)) if !matches!(Cast::parse(cast), Cast::Unknown(_)) => text,
        _ => default,
    }
}

fn default_and_cast(default: &str) -> (&str, Option<&str>) {
    let mut parts = path::modifiers(default);
    (parts.next().unwrap_or_default(), parts.next())
}

/// A path below the context.
const fn in_context<'n, 'p>(names: &'n [&'p str]) -> &'n [&'p str] {
    match names {
        [root, below @ ..] if matches!(root.as_bytes(), b"credentials" | b"context") => below,
        names => names,
    }
}

impl Path {
    fn reference(&self) -> Reference<'_> {
        let is_protected =
            |names: Vec<&str>| matches!(in_context(&names), ["oauth", "token", rest @ ..] if rest != [ACCESS_TOKEN]);
        if self.prefixes().any(is_protected) {
            let names = self.names();
            let is_refresh_token = names.is_some_and(|names| in_context(&names) == ["oauth", "token", REFRESH_TOKEN]);
            return if is_refresh_token { Reference::RefreshToken } else { Reference::Protected };
        }
        match self.names().as_deref() {
            Some(["credentials", name]) => Reference::Field { name, is_in_credentials: true },
            Some(["context", name]) => Reference::Field { name, is_in_credentials: false },
            Some(names) if in_context(names) == ["oauth", "token", ACCESS_TOKEN] => Reference::AccessToken,
            Some(["credentials" | "context"]) => Reference::Other,
            Some([name, ..]) if *name == SECRET_VARIABLES => Reference::SecretVariable,
            Some([name, ..]) if RESERVED.contains(name) => Reference::Root(name),
            Some([name]) => Reference::Field { name, is_in_credentials: false },
            _ => Reference::Other,
        }
    }
}
