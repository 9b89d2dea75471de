//! Points in time, as the wire writes them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, in milliseconds. On the wire it is RFC 3339 with milliseconds and `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS), ts(type = "string"))]
pub struct Timestamp(i64);

impl Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        self.plus_millis(secs.saturating_mul(1000))
    }

    /// Negative if `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        crate::schema::text("date-time")
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Timestamp {}

impl From<jiff::Timestamp> for Timestamp {
    fn from(at: jiff::Timestamp) -> Self {
        Self(at.as_millisecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            // Outside the calendar. No real time is, so the nearest end will do.
            Err(_) if self.0 < 0 => write!(f, "{:.3}", jiff::Timestamp::MIN),
            Err(_) => write!(f, "{:.3}", jiff::Timestamp::MAX),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2023-06-16T09:21:21.000Z")]
pub struct TimeError;

/// RFC 3339. A time without a zone and a bare date, which clients of Truto send, are UTC.
impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(at.into());
        }
        // Other notations of a zone would be read and ignored.
        if !text.bytes().all(|byte| byte.is_ascii_digit() || b"-T: .".contains(&byte)) {
            return Err(TimeError);
        }
        let is_whole = text.len() == 10 || (text.len() >= 19 && !text[10..].contains('-'));
        let at = if is_whole { text.parse::<jiff::civil::DateTime>().ok() } else { None };
        let at = at.and_then(|at| jiff::tz::Offset::UTC.to_timestamp(at).ok());
        at.map(Into::into).ok_or(TimeError)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn the_wire_shows_milliseconds_and_z() {
        let at = Timestamp::from_millis(1_686_907_281_000);
        assert_eq!(at.to_string(), "2023-06-16T09:21:21.000Z");
        assert_eq!(serde_json::to_string(&at).expect("a string"), r#""2023-06-16T09:21:21.000Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(r#""2023-06-16T09:21:21Z""#).expect("read"), at);
    }

    #[test]
    fn a_time_without_a_zone_and_a_bare_date_are_utc() {
        let read = |text: &str| text.parse::<Timestamp>().map(Timestamp::as_millis).ok();
        for text in ["2023-06-16T09:21:21", "2023-06-16 09:21:21.000", "2023-06-16T11:21:21+02:00"] {
            assert_eq!(read(text), Some(1_686_907_281_000), "{text}");
        }
        assert_eq!(read("2023-06-16"), Some(1_686_873_600_000));
        for bad in [
            "",
            "2023",
            "2023-06",
            "2023-06-16T",
            "2023-06-16T09",
            "2023-06-16T09:21:21[Europe/Berlin]",
            "2023-06-16T09:21:21-",
            "2023-06-16+02:00",
            "2023-06-16 -02:00",
            "2023-06-31",
            "16.06.2023",
            "\u{661}\u{660}23-06-16",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_outside_the_calendar_is_written_as_its_nearest_end() {
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-12-30T22:00:00.999Z");
        assert_eq!(Timestamp::from_millis(i64::MIN).to_string(), "-009999-01-02T01:59:59.000Z");
        assert_eq!(Timestamp::from_millis(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn arithmetic_saturates() {
        let at = Timestamp::from_millis(5000);
        assert_eq!((at.plus_secs(2).as_millis(), at.plus_millis(-1).as_millis()), (7000, 4999));
        assert_eq!(at.millis_since(Timestamp::from_millis(7000)), -2000);
        assert_eq!(Timestamp::from_millis(i64::MAX).plus_secs(i64::MAX).as_millis(), i64::MAX);
        assert_eq!(format!("{at:?}"), at.to_string());
    }
}
