//! Splits an item that is too long for one entry of the keychain.
//!
//! Windows' Credential Manager holds 2,560 bytes in an entry. A longer content is split into the entries `{name}/a/0`,
//! `{name}/a/1`, …, and the entry with the plain name, the head, lists them with a checksum. The next long content goes
//! to `{name}/b/…`, the one after that to `a` again. The parts in use are never touched and the head is written last,
//! so a crash at any point leaves either the old or the new item complete.
//!
//! The parts are named by two alternating slots rather than by the generation, because a keychain can't be listed on
//! every system: with two slots, the next write finds whatever an interrupted one left behind by its name, and removes
//! it. Within a slot the existing parts are always `0..n` without a gap, because writing ascends and removing descends.

use std::fmt;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    KeychainError,
    backend::KeychainBackend,
    item::{FOREIGN_CONTENT, Head, Item},
};

/// The head of a split item must fit in one entry.
pub(super) const MIN_LIMIT: usize = 160;
/// Longer content isn't a credential.
const MAX_PARTS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Slot {
    A,
    B,
}

impl Slot {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

/// Where the parts of a split item are, and their checksum.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartList {
    slot: Slot,
    count: usize,
    generation: u64,
    sha256: String,
}

pub(super) fn read(store: &mut dyn KeychainBackend, name: &str) -> Result<Option<Item>, KeychainError> {
    let list = match head(store, name)? {
        None => return Ok(None),
        Some(Head::Whole(item)) => return Ok(Some(item)),
        Some(Head::Split(list)) => list,
    };
    if list.count > MAX_PARTS {
        return Err(FOREIGN_CONTENT);
    }
    let mut parts = Vec::with_capacity(list.count);
    for n in 0..list.count {
        parts.push(
            store
                .read(&part_name(name, list.slot, n))?
                .ok_or(KeychainError::Damaged { what: "one of its parts is missing" })?,
        );
    }
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in &parts {
        text.push_str(part);
    }
    if checksum(&text) != list.sha256 {
        return Err(KeychainError::Damaged { what: "its parts don't belong together" });
    }
    match Head::parse(&text)? {
        Head::Whole(item) => Ok(Some(item)),
        Head::Split(_) => Err(FOREIGN_CONTENT),
    }
}

/// Replaces the item. `limit` is in UTF-16 code units, as Windows counts.
pub(super) fn write(
    store: &mut dyn KeychainBackend,
    name: &str,
    label: &str,
    item: &Item,
    limit: Option<usize>,
) -> Result<(), KeychainError> {
    let slot_in_use = match head(store, name) {
        Ok(Some(Head::Split(list))) => Some(list.slot),
        // A damaged item is replaced, so that the account can be reauthorized.
        Ok(Some(Head::Whole(_)) | None) | Err(KeychainError::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    let text = item.to_text();
    let pieces = match limit {
        Some(limit) if utf16_len(&text) > limit => split(&text, limit),
        _ => {
            store.write(name, label, &text)?;
            if limit.is_some() || slot_in_use.is_some() {
                remove_leftovers(store, name, &[(Slot::A, 0), (Slot::B, 0)]);
            }
            return Ok(());
        }
    };
    if pieces.len() > MAX_PARTS {
        return Err(KeychainError::TooLong);
    }
    let slot = slot_in_use.map_or(Slot::A, Slot::other);
    let count = pieces.len();
    for (n, piece) in pieces.iter().enumerate() {
        store.write(&part_name(name, slot, n), &format!("{label} ({} of {count})", n + 1), piece)?;
    }
    let list = PartList { slot, count, generation: item.generation, sha256: checksum(&text) };
    store.write(name, label, &list.to_text())?;
    remove_leftovers(store, name, &[(slot, count), (slot.other(), 0)]);
    Ok(())
}

/// Removes the item and its parts, if there is one.
pub(super) fn erase(store: &mut dyn KeychainBackend, name: &str, limit: Option<usize>) -> Result<(), KeychainError> {
    let whole = match head(store, name) {
        Ok(None | Some(Head::Whole(_))) => true,
        Ok(Some(Head::Split(_))) | Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => false,
        Err(error) => return Err(error),
    };
    store.remove(name)?;
    if limit.is_some() || !whole {
        remove_parts(store, name, Slot::A, 0)?;
        remove_parts(store, name, Slot::B, 0)?;
    }
    Ok(())
}

fn head(store: &mut dyn KeychainBackend, name: &str) -> Result<Option<Head>, KeychainError> {
    store.read(name)?.map(|text| Head::parse(&text)).transpose()
}

/// The new item is complete, so a failure here does not fail the write. The next write removes what is left.
fn remove_leftovers(store: &mut dyn KeychainBackend, name: &str, slots: &[(Slot, usize)]) {
    for &(slot, from) in slots {
        if let Err(error) = remove_parts(store, name, slot, from) {
            tracing::warn!(item = name, %slot, code = error.code(), "old parts of a keychain item stay for now");
        }
    }
}

fn remove_parts(store: &mut dyn KeychainBackend, name: &str, slot: Slot, from: usize) -> Result<(), KeychainError> {
    let mut end = from;
    while store.read(&part_name(name, slot, end))?.is_some() {
        end += 1;
    }
    for n in (from..end).rev() {
        store.remove(&part_name(name, slot, n))?;
    }
    Ok(())
}

fn part_name(name: &str, slot: Slot, n: usize) -> String {
    format!("{name}/{slot}/{n}")
}

fn checksum(text: &str) -> String {
    BASE64_STANDARD_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Splits between characters into pieces that are as long as allowed.
fn split(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut units = 0;
    for (at, character) in text.char_indices() {
        if units + character.len_utf16() > limit {
            pieces.push(&text[start..at]);
            start = at;
            units = 0;
        }
        units += character.len_utf16();
    }
    pieces.push(&text[start..]);
    pieces
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
