//! A text with placeholders.

use std::borrow::Cow;

use super::{
    Filled,
    error::FillError,
    placeholder::{Outcome, Placeholder, split_first},
    scope::Scope,
};
use crate::Secret;

/// A text with placeholders, compiled. Whatever is no placeholder is text, so each text is a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTemplate(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The value keeps its type.
    Whole(Placeholder),
    Parts(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Placeholder(Placeholder),
}

impl TextTemplate {
    pub fn parse(text: &str) -> Self {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, inside, behind)) = split_first(rest) {
            if text.len() == inside.len() + 4 {
                return Self(Kind::Whole(Placeholder::parse(inside, true)));
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Placeholder(Placeholder::parse(inside, false)));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Self(Kind::Parts(parts))
    }

    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        let (whole, parts) = match &self.0 {
            Kind::Whole(placeholder) => (Some(placeholder), &[][..]),
            Kind::Parts(parts) => (None, parts.as_slice()),
        };
        let in_parts = parts.iter().filter_map(|part| match part {
            Part::Placeholder(placeholder) => Some(placeholder),
            Part::Text(_) => None,
        });
        whole.into_iter().chain(in_parts)
    }

    /// The text between the placeholders.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        let parts = if let Kind::Parts(parts) = &self.0 { parts.as_slice() } else { &[] };
        parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
    }

    /// Whether a brace pair is left that begins no placeholder: most likely a mistake, although it is text by the rules.
    pub fn has_stray_braces(&self) -> bool {
        self.literals().any(|text| text.contains("{{"))
    }

    /// The text, if it has no placeholder.
    pub fn as_constant(&self) -> Option<&str> {
        match &self.0 {
            Kind::Parts(parts) => match parts.as_slice() {
                [] => Some(""),
                [Part::Text(text)] => Some(text),
                _ => None,
            },
            Kind::Whole(_) => None,
        }
    }

    /// Fills it as the library does: a placeholder for which nothing is found stays in the text as written.
    pub fn fill(&self, scope: &Scope<'_>) -> Result<Filled, FillError> {
        let Kind::Whole(placeholder) = &self.0 else {
            let pieces = self.pieces(scope, IfMissing::Keep)?;
            return Ok(Filled::new(Some(pieces.concat().into()), pieces.has_secret));
        };
        Ok(match placeholder.fill(scope)? {
            Outcome::Filled { filling, is_secret } => Filled::new(Some(filling.into_value()), is_secret),
            Outcome::Undefined => Filled::new(None, false),
            Outcome::Missing => Filled::new(Some(placeholder.source().into()), false),
        })
    }

    /// Fills it where text goes to a provider with a credential in it, such as a header: the result is a [`Secret`] whatever
    /// it holds, and a placeholder for which nothing is found is an error. None: the whole text is a placeholder that gives
    /// null or nothing, so what it stands for is left out.
    pub fn fill_secret(&self, scope: &Scope<'_>) -> Result<Option<Secret>, FillError> {
        if let Kind::Whole(placeholder) = &self.0 {
            match placeholder.fill(scope)? {
                Outcome::Undefined => return Ok(None),
                Outcome::Filled { filling, .. } if filling.is_null() => return Ok(None),
                Outcome::Filled { .. } | Outcome::Missing => {}
            }
        }
        Ok(Some(Secret::new(self.pieces(scope, IfMissing::Fail)?.concat())))
    }

    /// The parts with their values, in order.
    pub(crate) fn pieces<'a>(&'a self, scope: &'a Scope<'a>, if_missing: IfMissing) -> Result<Pieces<'a>, FillError> {
        let mut pieces = Pieces { pieces: Vec::new(), has_secret: false };
        match &self.0 {
            Kind::Whole(placeholder) => pieces.push(placeholder, scope, if_missing)?,
            Kind::Parts(parts) => {
                pieces.pieces.reserve_exact(parts.len());
                for part in parts {
                    match part {
                        Part::Text(text) => pieces.pieces.push(Piece::Literal(text)),
                        Part::Placeholder(placeholder) => pieces.push(placeholder, scope, if_missing)?,
                    }
                }
            }
        }
        Ok(pieces)
    }
}

/// What a placeholder becomes for which nothing is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum IfMissing {
    /// Itself, as written.
    Keep,
    Fail,
}

/// A filled text in parts. It has no `Debug`: it may hold a secret.
pub(crate) struct Pieces<'a> {
    pub(crate) pieces: Vec<Piece<'a>>,
    has_secret: bool,
}

pub(crate) enum Piece<'a> {
    Literal(&'a str),
    Value { placeholder: &'a Placeholder, text: Cow<'a, str> },
}

impl<'a> Pieces<'a> {
    fn push(
        &mut self,
        placeholder: &'a Placeholder,
        scope: &'a Scope<'a>,
        if_missing: IfMissing,
    ) -> Result<(), FillError> {
        let text = match (placeholder.fill(scope)?, if_missing) {
            (Outcome::Filled { filling, is_secret }, _) => {
                self.has_secret |= is_secret;
                filling.into_text()
            }
            (Outcome::Undefined, _) => Cow::Borrowed(""),
            (Outcome::Missing, IfMissing::Keep) => Cow::Borrowed(placeholder.source()),
            (Outcome::Missing, IfMissing::Fail) => return Err(placeholder.missing(scope).into()),
        };
        self.pieces.push(Piece::Value { placeholder, text });
        Ok(())
    }

    /// One text, allocated once: growing it would leave parts of a secret behind.
    fn concat(&self) -> String {
        let texts = || self.pieces.iter().map(Piece::text);
        let mut text = String::with_capacity(texts().map(str::len).sum());
        texts().for_each(|piece| text.push_str(piece));
        text
    }
}

impl Piece<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Value { text, .. } => text,
        }
    }
}
