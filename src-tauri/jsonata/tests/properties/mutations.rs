//! Expressions that people wrote, with bytes, characters or tokens changed.

use std::{fs, path::Path, sync::Arc};

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use serde_json::Value;

/// What replaces a token.
const TOKENS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    "..",
    ",",
    ";",
    ":",
    ":=",
    "?",
    "?:",
    "??",
    "~>",
    "|",
    "@",
    "#",
    "^",
    "%",
    "*",
    "**",
    "/",
    "/*",
    "*/",
    "&",
    "=",
    "!=",
    "<",
    ">=",
    "and",
    "or",
    "in",
    "function",
    "λ",
    "$",
    "$$",
    "$x",
    "'",
    "\"",
    "`",
    "\\",
    "null",
    "1e400",
    "-",
    "0",
    "\u{0}",
    "\u{feff}",
    "🙂",
    "$eval",
    "$map",
    "__proto__",
    "constructor",
];

#[derive(Clone, Copy, Debug)]
enum Mutation {
    FlipBit,
    DropByte,
    DropChar,
    DoubleChar,
    SwapChars,
    DropToken,
    DoubleToken,
    SwapTokens,
    ReplaceToken(&'static str),
    InsertToken(&'static str),
    Truncate,
}

/// All expressions of the crate's cases, and of JSONata's official suite where that is available.
pub(crate) fn corpus() -> Arc<[String]> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = std::env::var_os("JSONATA_SUITE")
        .map_or_else(|| folder.join("../../../shared/jsonata/suite.jsonl"), Into::into);
    let cases = fs::read_dir(folder.join("tests/cases")).expect("the cases are part of the crate");
    let mut files: Vec<_> = cases.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files.push(suite);
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    // A line with half a surrogate pair is none that Rust can hold.
    let expressions = texts.flat_map(|text| text.lines().filter_map(expression_of).collect::<Vec<_>>());
    expressions.filter(|expression| expression.len() < 4_000).collect()
}

fn expression_of(line: &str) -> Option<String> {
    let case: Value = serde_json::from_str(line).ok()?;
    Some(case["expr"].as_str()?.to_owned())
}

pub(crate) fn mutated(corpus: Arc<[String]>) -> BoxedStrategy<String> {
    let mutation = prop_oneof![
        Just(Mutation::FlipBit),
        Just(Mutation::DropByte),
        Just(Mutation::DropChar),
        Just(Mutation::DoubleChar),
        Just(Mutation::SwapChars),
        Just(Mutation::DropToken),
        Just(Mutation::DoubleToken),
        Just(Mutation::SwapTokens),
        select(TOKENS).prop_map(Mutation::ReplaceToken),
        select(TOKENS).prop_map(Mutation::InsertToken),
        Just(Mutation::Truncate),
    ];
    let splice = proptest::option::weighted(0.2, any::<Index>());
    (any::<Index>(), splice, vec((mutation, any::<Index>(), any::<Index>()), 0..6))
        .prop_map(move |(first, second, mutations)| {
            let mut text = first.get::<String>(&corpus).clone();
            if let Some(second) = second {
                // The beginning of one and the end of another.
                let (head, tail) = (tokens(&text), tokens(second.get::<String>(&corpus)));
                text = head[..second.index(head.len() + 1)].concat() + &tail[second.index(tail.len() + 1)..].concat();
            }
            mutations.into_iter().fold(text, |text, (mutation, at, other)| apply(&text, mutation, at, other))
        })
        .boxed()
}

fn apply(text: &str, mutation: Mutation, at: Index, other: Index) -> String {
    if text.is_empty() {
        return "$".to_owned();
    }
    match mutation {
        Mutation::FlipBit | Mutation::DropByte => {
            let mut bytes = text.as_bytes().to_vec();
            let index = at.index(bytes.len());
            if matches!(mutation, Mutation::FlipBit) {
                bytes[index] ^= 1 << other.index(8);
            } else {
                bytes.remove(index);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Mutation::DropChar | Mutation::DoubleChar | Mutation::SwapChars => {
            let mut chars: Vec<char> = text.chars().collect();
            let (index, second) = (at.index(chars.len()), other.index(chars.len()));
            match mutation {
                Mutation::DropChar => drop(chars.remove(index)),
                Mutation::DoubleChar => chars.insert(index, chars[index]),
                _ => chars.swap(index, second),
            }
            chars.into_iter().collect()
        }
        Mutation::Truncate => text.chars().take(at.index(text.chars().count())).collect(),
        _ => {
            let mut tokens = tokens(text);
            let (index, second) = (at.index(tokens.len()), other.index(tokens.len()));
            match mutation {
                Mutation::DropToken => drop(tokens.remove(index)),
                Mutation::DoubleToken => tokens.insert(second, tokens[index]),
                Mutation::ReplaceToken(token) => tokens[index] = token,
                Mutation::InsertToken(token) => tokens.insert(index, token),
                _ => tokens.swap(index, second),
            }
            tokens.concat()
        }
    }
}

/// Words, blanks and single signs.
fn tokens(text: &str) -> Vec<&str> {
    #[derive(PartialEq)]
    enum Kind {
        Word,
        Blank,
        Sign,
    }
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' || c == '$' => Kind::Word,
        c if c.is_whitespace() => Kind::Blank,
        _ => Kind::Sign,
    };
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| kind(first) != Kind::Sign && kind(c) == kind(first);
        let end = rest.char_indices().skip(1).find(|(_, c)| !same(*c)).map_or(rest.len(), |(at, _)| at);
        tokens.push(&rest[..end]);
        rest = &rest[end..];
    }
    tokens
}
