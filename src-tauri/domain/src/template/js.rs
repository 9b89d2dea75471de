//! What JavaScript makes of numbers and white space, where the template language shows it (ECMA-262, 2025).

use serde_json::{Number, Value};

/// White space as `String.prototype.trim` and `\s` know it (§22.1.3.32, §22.2.2.9).
pub(super) const fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r'
            | ' '
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
            | '\u{feff}'
    )
}

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// A number that a cast read from a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadNumber {
    Finite(Number),
    /// JSON has no word for it: as a value it is null.
    Infinite {
        is_negative: bool,
    },
}

impl ReadNumber {
    fn from_float(float: f64) -> Self {
        /// Up to here each whole number is a double of its own (`Number.MAX_SAFE_INTEGER`).
        const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and its range was checked")]
        let number = if float.fract() == 0.0 && float.abs() <= MAX_SAFE {
            Some(Number::from(float as i64))
        } else {
            Number::from_f64(float)
        };
        number.map_or(Self::Infinite { is_negative: float < 0.0 }, Self::Finite)
    }

    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Finite(number) => Value::Number(number),
            Self::Infinite { .. } => Value::Null,
        }
    }
}

/// `parseInt` (§19.2.5), except that digits that fit into 64 bits are kept exactly.
pub(super) fn parse_int(text: &str) -> Option<ReadNumber> {
    let text = trim(text);
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None => (10, digits),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let digits = digits.get(..end).filter(|digits| !digits.is_empty())?;
    let sign = if is_negative { "-" } else { "" };
    if let Ok(whole) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(ReadNumber::Finite(whole.into()));
    }
    if let (false, Ok(whole)) = (is_negative, u64::from_str_radix(digits, radix)) {
        return Some(ReadNumber::Finite(whole.into()));
    }
    let magnitude = if radix == 10 {
        digits.parse().unwrap_or(f64::INFINITY)
    } else {
        digits.chars().filter_map(|c| c.to_digit(radix)).fold(0.0, |sum, digit| sum * 16.0 + f64::from(digit))
    };
    Some(ReadNumber::from_float(if is_negative { -magnitude } else { magnitude }))
}

/// `parseFloat` (§19.2.4).
pub(super) fn parse_float(text: &str) -> Option<ReadNumber> {
    let text = trim(text);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_negative = text.starts_with('-');
    if unsigned.starts_with("Infinity") {
        return Some(ReadNumber::Infinite { is_negative });
    }
    let digits_from = |at: usize| unsigned[at..].bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits_from(0);
    let mut end = whole;
    if unsigned[end..].starts_with('.') {
        let fraction = digits_from(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if end == 0 {
        return None;
    }
    if let Some(exponent) = unsigned[end..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let digits = digits_from(end + 1 + sign);
        if digits > 0 {
            end += 1 + sign + digits;
        }
    }
    let float: f64 = unsigned[..end].parse().ok()?;
    Some(ReadNumber::from_float(if is_negative { -float } else { float }))
}

/// `Number::toString` (§6.1.6.1.20). Whole numbers of 64 bits keep all their digits.
pub(super) fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_text(float),
        _ => number.to_string(),
    }
}

fn float_text(float: f64) -> String {
    if float == 0.0 {
        return "0".to_owned();
    }
    // Rust and JavaScript both write the fewest digits that read as the same number; only their layouts differ.
    let shortest = format!("{:e}", float.abs());
    let Some((mantissa, exponent)) = shortest.split_once('e') else { return shortest };
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if float < 0.0 { "-" } else { "" };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    match exponent {
        0..=20 if count <= exponent + 1 => format!("{sign}{digits}{}", zeros(exponent + 1 - count)),
        0..=20 => {
            let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).unwrap_or_default());
            format!("{sign}{whole}.{fraction}")
        }
        -6..0 => format!("{sign}0.{}{digits}", zeros(-exponent - 1)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let plus = if exponent > 0 { "+" } else { "" };
            format!("{sign}{first}{point}{rest}e{plus}{exponent}")
        }
    }
}

/// Which of JavaScript's two ways a value becomes text in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `String(value)`.
    Plain,
    /// Lodash's `toString`, which the cast `str` uses: null inside an array is a word, and negative zero keeps its sign.
    Lodash,
}

/// Appends a value as text: an object is `[object Object]`, and an array its items with commas between them.
pub(super) fn push_text(into: &mut String, value: &Value, style: Style) {
    match value {
        Value::String(text) => into.push_str(text),
        Value::Null => into.push_str("null"),
        Value::Bool(flag) => into.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            let is_negative_zero = number.as_f64().is_some_and(|float| float == 0.0 && float.is_sign_negative());
            into.push_str(if style == Style::Lodash && is_negative_zero { "-" } else { "" });
            into.push_str(&number_text(number));
        }
        Value::Object(_) => into.push_str("[object Object]"),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                into.push_str(if at == 0 { "" } else { "," });
                if !(item.is_null() && style == Style::Plain) {
                    push_text(into, item, style);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (number, text) in [
            (json!(0.0), "0"),
            (json!(-0.0), "0"),
            (json!(1.0), "1"),
            (json!(-1.5), "-1.5"),
            (json!(123.456), "123.456"),
            (json!(1e20), "100000000000000000000"),
            (json!(1.5e20), "150000000000000000000"),
            (json!(1e21), "1e+21"),
            (json!(-1.25e22), "-1.25e+22"),
            (json!(1e-6), "0.000001"),
            (json!(1.5e-7), "1.5e-7"),
            (json!(5e-324), "5e-324"),
            (json!(u64::MAX), "18446744073709551615"),
        ] {
            let Value::Number(number) = number else { panic!("a number") };
            assert_eq!(number_text(&number), text);
        }
    }

    #[test]
    fn a_number_is_read_from_the_beginning_of_a_text() {
        let int = |text: &str| parse_int(text).map(ReadNumber::into_value);
        for (text, number) in [
            ("12abc", Some(json!(12))),
            (" +7", Some(json!(7))),
            ("-0", Some(json!(0))),
            ("0x1F", Some(json!(31))),
            ("-0x10", Some(json!(-16))),
            ("1e3", Some(json!(1))),
            ("18446744073709551615", Some(json!(u64::MAX))),
            ("18446744073709551616", Some(json!(18_446_744_073_709_551_616.0))),
            ("abc", None),
            ("", None),
            ("0x", None),
            ("--1", None),
        ] {
            assert_eq!(int(text), number, "{text}");
        }
        let float = |text: &str| parse_float(text).map(ReadNumber::into_value);
        for (text, number) in [
            ("1.50x", Some(json!(1.5))),
            (".5", Some(json!(0.5))),
            ("5.", Some(json!(5))),
            ("-1e2", Some(json!(-100))),
            ("1e", Some(json!(1))),
            ("1e+", Some(json!(1))),
            ("-Infinity", Some(Value::Null)),
            ("1e999", Some(Value::Null)),
            (".", None),
            ("e5", None),
            ("", None),
        ] {
            assert_eq!(float(text), number, "{text}");
        }
    }
}
