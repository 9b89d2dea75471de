//! The texts that a text contains in an encoding: percent-encoded, HTML-escaped, JSON-escaped, base64, hexadecimal.

/// How often escapes are resolved within each other.
const MAX_DEPTH: usize = 4;
/// So many other readings of a text are looked at.
const MAX_READINGS: usize = 8;

/// A text's bytes, each with the range of the original text that it stands for.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    ranges: Vec<(usize, usize)>,
}

/// The text itself and everything that it contains in an encoding. Escapes may be within each other, and around or inside of
/// base64 and hexadecimal digits.
///
/// What looks like an escape may be a character in front of a secret and its beginning: `%` and `aa…`. So if the end of an escape
/// `begins` a secret, there is also a reading in which it is none.
pub(super) fn views(text: &str, begins: impl Fn(&[u8]) -> bool) -> Vec<View> {
    let mut plain = unescaped(View::of(text));
    plain.extend(plain[0].readings(begins));
    let mut encoded = Vec::new();
    for view in &plain {
        // Base64 of a longer text may begin in front of the secret, at any of four characters.
        encoded.extend((0..4).map(|skipped| view.decode_base64(skipped)));
        encoded.extend((0..2).map(|skipped| view.decode_hex(skipped)));
    }
    let encoded = encoded.into_iter().filter(|view| !view.bytes.is_empty()).flat_map(unescaped);
    let encoded: Vec<View> = encoded.collect();
    plain.into_iter().chain(encoded).collect()
}

/// The view, and what it becomes when its escapes are resolved, again and again.
pub(super) fn unescaped(view: View) -> Vec<View> {
    let mut views = vec![view];
    while views.len() <= MAX_DEPTH
        && let Some(next) = views.last().and_then(View::unescape)
    {
        views.push(next);
    }
    views
}

impl View {
    pub(super) fn of(text: &str) -> Self {
        Self { bytes: text.into(), ranges: (0..text.len()).map(|at| (at, at + 1)).collect() }
    }

    /// The range of the original text that these bytes stand for.
    pub(super) fn original(&self, from: usize, to: usize) -> (usize, usize) {
        (self.ranges[from].0, self.ranges[to - 1].1)
    }

    const fn empty() -> Self {
        Self { bytes: Vec::new(), ranges: Vec::new() }
    }

    fn push(&mut self, byte: u8, range: (usize, usize)) {
        self.bytes.push(byte);
        self.ranges.push(range);
    }

    /// The text with its escapes resolved but one, for each escape whose end `begins` a secret.
    fn readings(&self, begins: impl Fn(&[u8]) -> bool) -> Vec<Self> {
        let is_doubtful = |at: &usize| {
            let length = escape(&self.bytes[*at..]).map_or(0, |(_, length)| length);
            (1..length).any(|skipped| begins(&self.bytes[at + skipped..at + length]))
        };
        let doubtful = (0..self.bytes.len()).filter(is_doubtful).take(MAX_READINGS);
        doubtful.filter_map(|at| self.unescape_but(Some(at))).collect()
    }

    /// Resolves percent-encoding, HTML's character references and the escapes of JSON and JavaScript; `None` if there are none.
    fn unescape(&self) -> Option<Self> {
        self.unescape_but(None)
    }

    fn unescape_but(&self, kept: Option<usize>) -> Option<Self> {
        let mut view = Self::empty();
        let mut at = 0;
        let mut is_changed = false;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let Some((unescaped, length)) = escape(rest).filter(|_| kept != Some(at)) else {
                view.push(rest[0], self.ranges[at]);
                at += 1;
                continue;
            };
            let range = self.original(at, at + length);
            match unescaped {
                Unescaped::Byte(byte) => view.push(byte, range),
                Unescaped::Char(c) => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        view.push(byte, range);
                    }
                }
            }
            is_changed = true;
            at += length;
        }
        is_changed.then_some(view)
    }

    /// Decodes every run of base64 digits of either alphabet (RFC 4648 §4 and §5) without its first `skipped` ones. Blanks
    /// may be between them, because long ones are written on several lines.
    fn decode_base64(&self, skipped: usize) -> Self {
        self.decode_digits(skipped, base64_digit, 6)
    }

    /// The same for hexadecimal digits.
    fn decode_hex(&self, skipped: usize) -> Self {
        self.decode_digits(skipped, |byte| char::from(byte).to_digit(16), 4)
    }

    fn decode_digits(&self, skipped: usize, digit: impl Fn(u8) -> Option<u32>, bits_per_digit: u32) -> Self {
        let mut view = Self::empty();
        let (mut to_skip, mut bits, mut count, mut start) = (skipped, 0_u32, 0, 0);
        for (&byte, &range) in self.bytes.iter().zip(&self.ranges) {
            let Some(value) = digit(byte) else {
                if byte != b' ' && byte != b'\n' {
                    // The run is over. Nothing that is found reaches across this byte.
                    if view.bytes.last() != Some(&0) {
                        view.push(0, range);
                    }
                    (to_skip, bits, count) = (skipped, 0, 0);
                }
                continue;
            };
            if to_skip > 0 {
                to_skip -= 1;
                continue;
            }
            if count == 0 {
                start = range.0;
            }
            bits = (bits << bits_per_digit) | value;
            count += bits_per_digit;
            if count >= 8 {
                count -= 8;
                view.push(u8::try_from((bits >> count) & 0xff).unwrap_or_default(), (start, range.1));
                start = range.0;
                bits &= (1 << count) - 1;
            }
        }
        view
    }
}

/// The escape at the beginning of a text, and its length.
fn escape(text: &[u8]) -> Option<(Unescaped, usize)> {
    match text.first()? {
        b'%' => percent_escape(text),
        b'&' => character_reference(text),
        b'\\' => backslash_escape(text),
        _ => None,
    }
}

enum Unescaped {
    Byte(u8),
    Char(char),
}

fn base64_digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

fn hex_number<'b, T: TryFrom<u32>>(mut digits: impl Iterator<Item = &'b u8>) -> Option<T> {
    let number = digits.try_fold(0, |number, digit| Some((number << 4) | char::from(*digit).to_digit(16)?))?;
    T::try_from(number).ok()
}

/// A percent-encoded byte (RFC 3986 §2.1) at the beginning of a text, and its length.
fn percent_escape(text: &[u8]) -> Option<(Unescaped, usize)> {
    Some((Unescaped::Byte(hex_number(text.get(1..3)?.iter())?), 3))
}

/// HTML's names of ASCII characters other than letters and digits (<https://html.spec.whatwg.org/entities.json>).
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("vert", '|'),
    ("verbar", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
];

/// The longest character reference: `&#x0010ffff;` with a few more zeros.
const MAX_REFERENCE_BYTES: usize = 16;

/// A character reference at the beginning of a text, and its length.
fn character_reference(text: &[u8]) -> Option<(Unescaped, usize)> {
    let end = text.iter().take(MAX_REFERENCE_BYTES).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let Some(number) = name.strip_prefix('#') else {
        let (_, c) = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        return Some((Unescaped::Char(*c), end + 1));
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    Some((Unescaped::Char(char::from_u32(code)?), end + 1))
}

/// An escape of JSON or JavaScript at the beginning of a text, and its length.
fn backslash_escape(text: &[u8]) -> Option<(Unescaped, usize)> {
    let c = match text.get(1)? {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'x' => return Some((Unescaped::Byte(hex_number(text.get(2..4)?.iter())?), 4)),
        b'u' if text.get(2) == Some(&b'{') => {
            let end = text.iter().take(MAX_REFERENCE_BYTES).position(|byte| *byte == b'}')?;
            return Some((Unescaped::Char(char::from_u32(hex_number(text[3..end].iter())?)?), end + 1));
        }
        b'u' => {
            let high: u32 = hex_number(text.get(2..6)?.iter())?;
            if let Some(c) = char::from_u32(high) {
                return Some((Unescaped::Char(c), 6));
            }
            // A surrogate pair.
            let low: u32 =
                text.get(6..8).filter(|mark| *mark == b"\\u").and_then(|_| hex_number(text.get(8..12)?.iter()))?;
            let pair = [u16::try_from(high).ok()?, u16::try_from(low).ok()?];
            return Some((Unescaped::Char(char::decode_utf16(pair).next()?.ok()?), 12));
        }
        quoted @ (b'"' | b'\'' | b'\\' | b'/') => char::from(*quoted),
        _ => return None,
    };
    Some((Unescaped::Char(c), 2))
}
