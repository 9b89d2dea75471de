//! Checks JSON (RFC 8259), and finds where its objects and lists are. What it accepts is what `serde_json` accepts, but for objects that begin
//! with the name that `serde_json` keeps for itself: those are passed on, and have no value (null).

use std::ops::Range;

/// Objects and lists in each other, at most: `serde_json`'s limit.
const MAX_DEPTH: usize = 127;
/// A number with fewer bytes and without an exponent isn't too large for a float.
const MAX_SAFE_DIGITS: usize = 300;

/// Bytes of a document, which has less than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u32,
    /// The first byte behind it.
    pub(super) to: u32,
}

impl Span {
    pub(super) const fn range(self) -> Range<usize> {
        self.from as usize..self.to as usize
    }
}

/// An object or a list of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container {
    pub(super) span: Span,
    /// How many values are directly in it.
    pub(super) count: u32,
}

/// A container whose end isn't reached.
#[derive(Clone, Copy)]
struct Open {
    index: usize,
    is_object: bool,
}

impl Open {
    const fn end(self) -> u8 {
        if self.is_object { b'}' } else { b']' }
    }
}

/// The objects and lists of a document in the order of their beginnings, and its value. `None`: it is malformed.
pub(super) fn scan(document: &[u8]) -> Option<(Vec<Container>, Span)> {
    u32::try_from(document.len()).ok()?;
    std::str::from_utf8(document).ok()?;
    let mut scanner = Scanner::new(document);
    scanner.next_byte()?;
    let from = scanner.position();
    let mut containers: Vec<Container> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    loop {
        match scanner.next_byte()? {
            beginning @ (b'{' | b'[') => {
                let this = Open { index: containers.len(), is_object: beginning == b'{' };
                let from = scanner.position();
                scanner.at += 1;
                containers.push(Container { span: Span { from, to: from }, count: 0 });
                open.push(this);
                if open.len() > MAX_DEPTH {
                    return None;
                }
                if scanner.next_byte()? != this.end() {
                    containers[this.index].count = 1;
                    if this.is_object {
                        scanner.name()?;
                    }
                    continue;
                }
            }
            _ => scanner.scalar()?,
        }
        // Behind a value, or at the end of what has none.
        loop {
            let Some(&this) = open.last() else {
                let value = Span { from, to: scanner.position() };
                return scanner.next_byte().is_none().then_some((containers, value));
            };
            let byte = scanner.next_byte()?;
            scanner.at += 1;
            if byte == this.end() {
                containers[this.index].span.to = scanner.position();
                open.pop();
                continue;
            }
            if byte != b',' {
                return None;
            }
            containers[this.index].count += 1;
            if this.is_object {
                scanner.name()?;
            }
            break;
        }
    }
}

/// Goes over a document. Each function returns `None` where it is malformed.
pub(super) struct Scanner<'d> {
    document: &'d [u8],
    pub(super) at: usize,
}

impl<'d> Scanner<'d> {
    pub(super) const fn new(document: &'d [u8]) -> Self {
        Self { document, at: 0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the document's length was checked")]
    const fn position(&self) -> u32 {
        self.at as u32
    }

    /// The next byte that isn't white space, and goes there. `None`: there is none.
    pub(super) fn next_byte(&mut self) -> Option<u8> {
        loop {
            match *self.document.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Goes behind a value that is neither an object nor a list.
    pub(super) fn scalar(&mut self) -> Option<()> {
        match self.document.get(self.at)? {
            b'"' => self.string(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    /// Goes behind a member's name and its colon.
    fn name(&mut self) -> Option<()> {
        if self.next_byte()? != b'"' {
            return None;
        }
        self.string()?;
        if self.next_byte()? != b':' {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let is_it = self.document[self.at..].starts_with(word);
        self.at += word.len();
        is_it.then_some(())
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at += plain_length(&self.document[self.at..]);
            match self.document.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.document.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 2;
                Some(())
            }
            b'u' => match self.code_unit()? {
                // Of UTF-16, whose surrogates come in pairs.
                0xd800..=0xdbff => matches!(self.code_unit()?, 0xdc00..=0xdfff).then_some(()),
                0xdc00..=0xdfff => None,
                _ => Some(()),
            },
            _ => None,
        }
    }

    /// `\u` and four hexadecimal digits.
    fn code_unit(&mut self) -> Option<u32> {
        let digits = self.document.get(self.at..self.at + 6)?.strip_prefix(b"\\u")?;
        self.at += 6;
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    }

    fn number(&mut self) -> Option<()> {
        let from = self.at;
        self.at += usize::from(self.document[from] == b'-');
        let is_zero = self.document.get(self.at) == Some(&b'0');
        if self.digits()? > 1 && is_zero {
            return None;
        }
        if self.document.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        let mut may_be_too_large = self.at - from > MAX_SAFE_DIGITS;
        if let Some(b'e' | b'E') = self.document.get(self.at) {
            may_be_too_large = true;
            self.at += 1;
            self.at += usize::from(matches!(self.document.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        if may_be_too_large {
            serde_json::from_slice::<f64>(&self.document[from..self.at]).ok().map(|_| ())
        } else {
            Some(())
        }
    }

    /// Goes behind digits, and gives how many there are.
    fn digits(&mut self) -> Option<usize> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.document.get(self.at) {
            self.at += 1;
        }
        Some(self.at - from).filter(|count| *count > 0)
    }
}

/// The number of bytes before a quote, a backslash or a control character.
fn plain_length(text: &[u8]) -> usize {
    /// Most texts are short: names and words.
    const SHORT: usize = 8;
    const SHORT_UP_TO: usize = 32;
    /// Of which the compiler makes vectors.
    const LONG: usize = 64;
    let is_special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let is_plain = |chunk: &[u8; LONG]| chunk.iter().fold(0, |found, byte| found | u8::from(is_special(*byte))) == 0;
    let mut at = 0;
    while let Some(chunk) = text[at..].first_chunk::<SHORT>() {
        let found = specials(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += SHORT;
        if at == SHORT_UP_TO {
            while text[at..].first_chunk().is_some_and(is_plain) {
                at += LONG;
            }
        }
    }
    at + text[at..].iter().take_while(|byte| !is_special(**byte)).count()
}

/// Eight bytes, the first one lowest, of which the highest bit of the first special one is set, and no bit below it.
fn specials(bytes: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    // A byte below the limit borrows, which sets its highest bit.
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES * u64::from(limit)) & !bytes;
    let is = |byte: u8| below(bytes ^ (ONES * u64::from(byte)), 1);
    (below(bytes, 0x20) | is(b'"') | is(b'\\')) & HIGHEST
}
