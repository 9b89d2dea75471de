//! An item in a keychain that takes only so much: whole where it fits, in parts where it does not.
//!
//! Windows' Credential Manager holds 2,560 bytes an item. A longer content is cut into parts, `{name}/a/0`, `{name}/a/1`, …,
//! and the item with the plain name, the head, lists them with a checksum. The next such content goes to `{name}/b/…`, the
//! one after to `a` again: the live parts are never touched, the head is written last, and a crash at any point leaves
//! either the old or the new item, whole.
//!
//! Two alternating slots, not the generation, name the parts, because a keychain can't be listed portably: with two slots
//! whatever an interrupted write has left is found by its name and removed by the next one. Within a slot the parts that
//! exist are always `0..n` without a gap: writing ascends, removing descends.

use std::fmt;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    KeychainError,
    backend::KeychainBackend,
    item::{Head, Item, NOT_OURS},
};

/// The head of a split content must itself fit.
pub(super) const LEAST_LIMIT: usize = 160;
/// More is not a credential.
const MOST_PARTS: usize = 256;

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

/// Where a split content is, and how to know it again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartList {
    slot: Slot,
    count: usize,
    generation: u64,
    sha256: String,
}

/// The item, or `None` if there is none by that name.
pub(super) fn read(store: &mut dyn KeychainBackend, name: &str) -> Result<Option<Item>, KeychainError> {
    let list = match head(store, name)? {
        None => return Ok(None),
        Some(Head::Whole(item)) => return Ok(Some(item)),
        Some(Head::Split(list)) => list,
    };
    if list.count > MOST_PARTS {
        return Err(NOT_OURS);
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
        Head::Split(_) => Err(NOT_OURS),
    }
}

/// Puts the item in place of whatever has that name; `limit` is in UTF-16 units, as Windows counts.
pub(super) fn write(
    store: &mut dyn KeychainBackend,
    name: &str,
    label: &str,
    item: &Item,
    limit: Option<usize>,
) -> Result<(), KeychainError> {
    let live = match head(store, name) {
        Ok(Some(Head::Split(list))) => Some(list.slot),
        // A damaged item is replaced: reauthorizing is how a person mends it.
        Ok(Some(Head::Whole(_)) | None) | Err(KeychainError::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    let text = item.to_text();
    let pieces = match limit {
        Some(limit) if utf16_len(&text) > limit => cut(&text, limit),
        _ => {
            store.write(name, label, &text)?;
            if limit.is_some() || live.is_some() {
                tidy(store, name, &[(Slot::A, 0), (Slot::B, 0)]);
            }
            return Ok(());
        }
    };
    if pieces.len() > MOST_PARTS {
        return Err(KeychainError::TooLong);
    }
    let slot = live.map_or(Slot::A, Slot::other);
    let count = pieces.len();
    for (n, piece) in pieces.iter().enumerate() {
        store.write(&part_name(name, slot, n), &format!("{label} ({} of {count})", n + 1), piece)?;
    }
    let list = PartList { slot, count, generation: item.generation, sha256: checksum(&text) };
    store.write(name, label, &list.to_text())?;
    tidy(store, name, &[(slot, count), (slot.other(), 0)]);
    Ok(())
}

/// Removes the item and its parts; an absent one is fine.
pub(super) fn erase(store: &mut dyn KeychainBackend, name: &str, limit: Option<usize>) -> Result<(), KeychainError> {
    let whole = match head(store, name) {
        Ok(None | Some(Head::Whole(_))) => true,
        Ok(Some(Head::Split(_))) | Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => false,
        Err(error) => return Err(error),
    };
    store.remove(name)?;
    if limit.is_some() || !whole {
        sweep(store, name, Slot::A, 0)?;
        sweep(store, name, Slot::B, 0)?;
    }
    Ok(())
}

fn head(store: &mut dyn KeychainBackend, name: &str) -> Result<Option<Head>, KeychainError> {
    store.read(name)?.map(|text| Head::parse(&text)).transpose()
}

/// The new item stands already, so leftovers are no reason to call the write failed: the next one removes them.
fn tidy(store: &mut dyn KeychainBackend, name: &str, slots: &[(Slot, usize)]) {
    for &(slot, from) in slots {
        if let Err(error) = sweep(store, name, slot, from) {
            tracing::warn!(item = name, %slot, code = error.code(), "old parts of a keychain item stay for now");
        }
    }
}

fn sweep(store: &mut dyn KeychainBackend, name: &str, slot: Slot, from: usize) -> Result<(), KeychainError> {
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

/// Cuts between characters, each piece as long as it may be.
fn cut(text: &str, limit: usize) -> Vec<&str> {
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
