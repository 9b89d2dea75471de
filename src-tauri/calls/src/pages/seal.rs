//! What makes a cursor good for the list that gave it, and for no other one.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::account::CursorKey;

/// Half of HMAC-SHA256, which RFC 2104 §5 allows.
pub(super) const TAG_BYTES: usize = 16;

/// Signs the places of one list, because a caller could lead a request elsewhere with a place that it makes up: to another path, past
/// what a sandbox or a read-only token allows.
#[derive(Clone)]
pub struct Seal(Hmac<Sha256>);

impl Seal {
    /// `list`: what distinguishes the list from every other one, in parts.
    pub fn new(key: CursorKey, list: &[&str]) -> Self {
        // A key is filled with zeros to a block of the hash (RFC 2104 §2).
        let mut block = [0; 64];
        block[..key.0.len()].copy_from_slice(&key.0);
        let mut mac = Hmac::new(&block.into());
        for part in list {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Self(mac)
    }

    pub(super) fn tag(&self, place: &[u8]) -> [u8; TAG_BYTES] {
        let mut mac = self.0.clone();
        mac.update(place);
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_BYTES]);
        tag
    }

    pub(super) fn is_of(&self, place: &[u8], tag: &[u8]) -> bool {
        self.tag(place).ct_eq(tag).into()
    }
}

/// Without the key.
impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}
