//! Time zones: rules from the IANA database that jiff brings along, names from [`super::zone_names`].

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use rquickjs::{Array, Ctx, Exception, Object, Result};

use super::{add, list, value, zone_names};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    add(ctx, host, "zone", |name: String| canonical_name(&name))?;
    add(ctx, host, "zoneOffset", offset)?;
    add(ctx, host, "zoneNames", names)
}

/// The database inside the program, so that every computer gives the same answers whatever its own zone files say.
fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

/// The zone's name as `resolvedOptions().timeZone` gives it; nothing if there is no such zone. Case does not matter.
fn canonical_name(name: &str) -> Option<String> {
    if let Some(canonical) = zone_names::canonical(name) {
        return Some(canonical.to_owned());
    }
    let zone = database().get(name).ok()?;
    zone.iana_name().filter(|name| *name != "Factory" && *name != "Etc/Unknown").map(str::to_owned)
}

/// The zone of a name that `canonical_name` returned.
fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    database().get(name).ok()
}

/// An instant in milliseconds as JavaScript counts, which reaches farther than jiff's years -9999 to 9999: instants beyond are taken as the edge.
#[allow(clippy::cast_possible_truncation)] // a cast from f64 saturates
fn timestamp(milliseconds: f64) -> Timestamp {
    let edge = if milliseconds > 0.0 { Timestamp::MAX } else { Timestamp::MIN };
    Timestamp::from_millisecond(milliseconds.floor() as i64).unwrap_or(edge)
}

/// What holds in a zone from one transition to the next.
#[derive(Debug, PartialEq)]
struct Span {
    /// Seconds east of Greenwich.
    offset: i32,
    /// Milliseconds; the span contains `from` but not `until`.
    from: f64,
    until: f64,
}

#[allow(clippy::cast_precision_loss)] // jiff's timestamps in milliseconds are far below 2⁵³
fn span(zone: &TimeZone, milliseconds: f64) -> Span {
    let at = timestamp(milliseconds);
    // The transition at the instant itself belongs to the span: `preceding` looks strictly before.
    let next_nanosecond = at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at);
    let milliseconds_of = |transition: jiff::tz::TimeZoneTransition<'_>| transition.timestamp().as_millisecond() as f64;
    // At the edge of its range jiff may name a transition on the wrong side.
    Span {
        offset: zone.to_offset(at).seconds(),
        from: zone
            .preceding(next_nanosecond)
            .next()
            .filter(|transition| transition.timestamp() <= at)
            .map_or(f64::NEG_INFINITY, milliseconds_of),
        until: zone
            .following(at)
            .next()
            .filter(|transition| transition.timestamp() > at)
            .map_or(f64::INFINITY, milliseconds_of),
    }
}

/// `[offset, from, until]`, see [`Span`].
fn offset(ctx: Ctx<'_>, name: String, milliseconds: f64) -> Result<Array<'_>> {
    let zone =
        zone(&name).ok_or_else(|| Exception::throw_range(&ctx, &format!("Invalid time zone specified: {name}")))?;
    let span = span(&zone, milliseconds);
    list(&ctx, [value(&ctx, span.offset)?, value(&ctx, span.from)?, value(&ctx, span.until)?])
}

/// `[long, short, from, until]`: the names that English speakers in the United States use for the zone's time, empty where they
/// say "GMT+2", and the milliseconds between which the offset keeps them.
fn names(ctx: Ctx<'_>, name: String, milliseconds: f64, offset: i32) -> Result<Array<'_>> {
    let names = zone_names::names(&name, milliseconds, offset);
    list(
        &ctx,
        [value(&ctx, names.long)?, value(&ctx, names.short)?, value(&ctx, names.from)?, value(&ctx, names.until)?],
    )
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // whole milliseconds
mod tests {
    use super::super::tests::run;
    use super::*;

    const HOUR: f64 = 3_600_000.0;

    fn span_at(name: &str, instant: &str) -> Span {
        #[allow(clippy::cast_precision_loss)]
        let milliseconds = instant.parse::<Timestamp>().unwrap().as_millisecond() as f64;
        span(&zone(name).unwrap(), milliseconds)
    }

    #[test]
    fn zones_are_found_whatever_their_case() {
        for (given, canonical) in [
            ("europe/berlin", "Europe/Berlin"),
            ("AMERICA/NEW_YORK", "America/New_York"),
            ("utc", "UTC"),
            ("Etc/GMT", "UTC"),
            ("etc/gmt+5", "Etc/GMT+5"),
            ("Asia/Kolkata", "Asia/Calcutta"),
            ("pst", "America/Los_Angeles"),
        ] {
            assert_eq!(canonical_name(given).as_deref(), Some(canonical), "{given}");
        }
        for unknown in
            ["", "Mars/Olympus", "+01:00", "UTC+1", "Factory", "Europe/Berlin ", "Europe/Berlin\0", "\u{130}"]
        {
            assert_eq!(canonical_name(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn daylight_saving_time_begins_and_ends_at_the_transition() {
        let winter = span_at("Europe/Berlin", "2024-03-31T00:59:59.999Z");
        let summer = span_at("Europe/Berlin", "2024-03-31T01:00:00Z");
        assert_eq!((winter.offset, summer.offset), (3_600, 7_200));
        assert_eq!(winter.until, summer.from);
        assert_eq!(summer.until - summer.from, 210.0 * 24.0 * HOUR);
        assert_eq!(span_at("Europe/Berlin", "2024-10-27T00:59:59.999Z"), summer);
        assert_eq!(span_at("Europe/Berlin", "2024-10-27T01:00:00Z").offset, 3_600);
    }

    #[test]
    fn odd_offsets_and_missing_days_are_kept() {
        assert_eq!(span_at("Asia/Kathmandu", "2024-01-01T00:00:00Z").offset, 20_700);
        assert_eq!(span_at("Australia/Lord_Howe", "2024-01-01T00:00:00Z").offset, 39_600);
        assert_eq!(span_at("Pacific/Apia", "2011-12-30T09:00:00Z").offset, -36_000);
        assert_eq!(span_at("Pacific/Apia", "2011-12-30T10:00:00Z").offset, 50_400);
        assert_eq!(
            span_at("UTC", "2024-01-01T00:00:00Z"),
            Span { offset: 0, from: f64::NEG_INFINITY, until: f64::INFINITY }
        );
    }

    #[test]
    fn instants_beyond_the_range_are_taken_as_the_edge() {
        let zone = zone("Europe/Berlin").unwrap();
        for milliseconds in [8.64e15, f64::MAX, f64::INFINITY] {
            assert_eq!(span(&zone, milliseconds).offset, 3_600);
            assert_eq!(span(&zone, milliseconds).until, f64::INFINITY);
        }
        for milliseconds in [-8.64e15, f64::MIN, f64::NEG_INFINITY] {
            assert_eq!(span(&zone, milliseconds).offset, 3_208);
            assert_eq!(span(&zone, milliseconds).from, f64::NEG_INFINITY);
        }
        span(&zone, f64::NAN);
    }

    #[test]
    fn javascript_sees_offsets_and_names() {
        assert_eq!(
            run::<String>("__host.zoneOffset('America/New_York', 1720000000000).join()").as_deref(),
            Ok("-14400,1710054000000,1730613600000")
        );
        assert_eq!(
            run::<String>("__host.zoneNames('America/New_York', 1720000000000, -14400).join()").as_deref(),
            Ok("Eastern Daylight Time,EDT,0,Infinity")
        );
        assert!(
            run::<String>("__host.zoneOffset('Mars/Olympus', 0).join()")
                .unwrap_err()
                .contains("Invalid time zone specified: Mars/Olympus")
        );
    }
}
