//! The content of a keychain item, and its stored text.

use std::{collections::BTreeMap, io};

use relink_domain::Secret;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::{KeychainError, parts::PartList};

/// The format that this version writes and reads.
const FORMAT: u64 = 1;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// Counts the credential's replacements. An older generation never replaces a newer one.
    pub generation: u64,
    /// By name, for example `refresh_token`, `access_token`, `api_key`, `client_secret`, `webhook_secret`.
    pub secrets: BTreeMap<String, Secret>,
    /// What recovery needs besides the secrets. Not secret.
    pub notes: serde_json::Map<String, serde_json::Value>,
}

/// The item with the plain name: the whole content, or the list of its parts.
pub(super) enum Head {
    Whole(Item),
    Split(PartList),
}

impl Item {
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        #[derive(Serialize)]
        struct Whole<'a> {
            v: u64,
            generation: u64,
            secrets: BTreeMap<&'a str, &'a str>,
            notes: &'a serde_json::Map<String, serde_json::Value>,
        }
        to_json(&Whole {
            v: FORMAT,
            generation: self.generation,
            secrets: self.secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose())).collect(),
            notes: &self.notes,
        })
    }
}

impl PartList {
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        #[derive(Serialize)]
        struct Split<'a> {
            v: u64,
            parts: &'a PartList,
        }
        to_json(&Split { v: FORMAT, parts: self })
    }
}

impl Head {
    /// Errors never contain the text, unlike serde's.
    pub(super) fn parse(text: &str) -> Result<Self, KeychainError> {
        #[derive(Deserialize)]
        struct Version {
            v: u64,
        }
        // Not an untagged enum: serde would buffer the secrets on the way.
        #[derive(Deserialize)]
        struct Stored {
            parts: Option<PartList>,
            generation: Option<u64>,
            secrets: Option<BTreeMap<String, StoredSecret>>,
            notes: Option<serde_json::Map<String, serde_json::Value>>,
        }
        let Version { v } = serde_json::from_str(text).map_err(|_| FOREIGN_CONTENT)?;
        if v > FORMAT {
            return Err(KeychainError::Newer { version: v });
        }
        match serde_json::from_str(text).map_err(|_| FOREIGN_CONTENT)? {
            Stored { parts: Some(parts), .. } => Ok(Self::Split(parts)),
            Stored { parts: None, generation: Some(generation), secrets: Some(secrets), notes: Some(notes) } => {
                let secrets = secrets.into_iter().map(|(name, StoredSecret(secret))| (name, secret)).collect();
                Ok(Self::Whole(Item { generation, secrets, notes }))
            }
            Stored { parts: None, .. } => Err(FOREIGN_CONTENT),
        }
    }
}

pub(super) const FOREIGN_CONTENT: KeychainError =
    KeychainError::Damaged { what: "its content is not what Relink writes" };

/// `Secret` has no `Deserialize`, so that no wire type can receive one by accident.
struct StoredSecret(Secret);

impl<'de> Deserialize<'de> for StoredSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// Measures the text first, so that the buffer never grows and leaves an unwiped copy behind.
fn to_json(value: &impl Serialize) -> Zeroizing<String> {
    struct Length(usize);
    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    let mut text = Vec::new();
    serde_json::to_writer(&mut length, value)
        .and_then(|()| {
            text.reserve_exact(length.0);
            serde_json::to_writer(&mut text, value)
        })
        .expect("strings, numbers and maps with string keys are always JSON, and memory takes every write");
    Zeroizing::new(String::from_utf8(text).expect("JSON is UTF-8"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_is_compact_versioned_json() {
        let item = Item {
            generation: 7,
            secrets: [("refresh_token".to_owned(), Secret::new("r\"1"))].into(),
            notes: json!({"scope": "a b"}).as_object().cloned().unwrap_or_default(),
        };
        assert_eq!(
            *item.to_text(),
            r#"{"v":1,"generation":7,"secrets":{"refresh_token":"r\"1"},"notes":{"scope":"a b"}}"#
        );
    }

    #[test]
    fn a_newer_format_is_refused_with_its_version() {
        assert_eq!(Head::parse(r#"{"v":2,"anything":1}"#).err(), Some(KeychainError::Newer { version: 2 }));
    }

    #[test]
    fn foreign_content_is_damaged_and_never_quoted() {
        for text in ["", "hunter2", r#"{"v":"hunter2"}"#, r#"{"v":1,"generation":1,"secrets":"hunter2","notes":{}}"#] {
            let error = Head::parse(text).err().expect("refused");
            assert_eq!(error.code(), "keychain_item_damaged", "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn the_debug_output_of_an_item_has_no_secret() {
        let item = Item { secrets: [("api_key".to_owned(), Secret::new("hunter2"))].into(), ..Item::default() };
        assert!(!format!("{item:?}").contains("hunter2"));
    }
}
