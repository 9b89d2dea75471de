//! What English speakers call a zone's time, and which names are aliases: the facts in `zone_names.txt`, written by `js/zone-names.mjs`.
//!
//! The table covers every zone of the IANA database and the short names that ICU adds ("PST"), from 1950 to 2040; it goes on after
//! that as it stood in 2040. Not covered: `Etc/GMT+0` and its siblings are called UTC here, "Greenwich Mean Time" in Node.

use std::collections::HashMap;
use std::sync::OnceLock;

const TABLE: &str = include_str!("zone_names.txt");

/// A stretch of time in which each offset of a zone has one name.
struct Period {
    /// Milliseconds since 1970.
    from: f64,
    /// Offset in seconds, long name, short name; a name is empty where "GMT+2" is said instead.
    names: Vec<(i32, &'static str, &'static str)>,
}

struct Zone {
    name: &'static str,
    /// Index into [`Table::histories`].
    history: usize,
}

#[derive(Default)]
struct Table {
    histories: Vec<Vec<Period>>,
    /// By name in lower case; an alias leads to its zone.
    zones: HashMap<String, Zone>,
}

fn table() -> &'static Table {
    static PARSED: OnceLock<Table> = OnceLock::new();
    PARSED.get_or_init(|| parse(TABLE))
}

/// The zone's name as ICU spells it; nothing for a name that is in neither list. Case does not matter.
pub(super) fn canonical(name: &str) -> Option<&'static str> {
    table().zones.get(&name.to_ascii_lowercase()).map(|zone| zone.name)
}

/// What the time in a zone is called while its offset is the one asked for.
#[derive(Debug, PartialEq)]
pub(super) struct Names {
    /// Empty, like `short`, where "GMT+2" is said instead.
    pub long: &'static str,
    pub short: &'static str,
    /// Milliseconds; the names hold from `from` until just before `until`.
    pub from: f64,
    pub until: f64,
}

pub(super) fn names(zone: &str, milliseconds: f64, offset: i32) -> Names {
    let table = table();
    let history = table.zones.get(&zone.to_ascii_lowercase()).map_or(&[][..], |zone| &table.histories[zone.history]);
    let next = history.iter().position(|period| period.from > milliseconds).unwrap_or(history.len());
    let period = next.checked_sub(1).map(|index| &history[index]);
    let (long, short) = period
        .and_then(|period| period.names.iter().find(|(of, _, _)| *of == offset))
        .map_or(("", ""), |(_, long, short)| (*long, *short));
    Names {
        long,
        short,
        from: period.map_or(f64::NEG_INFINITY, |period| period.from),
        until: history.get(next).map_or(f64::INFINITY, |period| period.from),
    }
}

fn parse(text: &'static str) -> Table {
    let mut table = Table::default();
    for line in text.lines() {
        if let Some(history) = line.strip_prefix("= ") {
            table.histories.push(history.split(" | ").filter_map(period).collect());
        } else if let Some((alias, name)) = line.strip_prefix("> ").and_then(|line| line.split_once(' ')) {
            if let Some(history) = table.zones.get(&name.to_ascii_lowercase()).map(|zone| zone.history) {
                table.zones.insert(alias.to_ascii_lowercase(), Zone { name, history });
            }
        } else if !line.starts_with('#') {
            let history = table.histories.len().saturating_sub(1);
            table.zones.extend(line.split(' ').map(|name| (name.to_ascii_lowercase(), Zone { name, history })));
        }
    }
    table
}

fn period(text: &'static str) -> Option<Period> {
    let (from, names) = text.split_once('@')?;
    let name = |name: &'static str| {
        let (offset, name) = name.split_once('=')?;
        let (long, short) = name.split_once('(').unwrap_or((name, ""));
        Some((offset.parse().ok()?, long, short.trim_end_matches(')')))
    };
    Some(Period {
        from: if from.is_empty() { f64::NEG_INFINITY } else { from.parse::<f64>().ok()? * 1000.0 },
        names: names.split(';').filter_map(name).collect(),
    })
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // whole milliseconds
mod tests {
    use super::*;

    const JULY_2024: f64 = 1_720_000_000_000.0;

    #[test]
    fn every_line_of_the_table_is_understood() {
        for line in TABLE.lines().filter_map(|line| line.strip_prefix("= ")) {
            for text in line.split(" | ") {
                let parsed = period(text).unwrap_or_else(|| panic!("{text}"));
                assert_eq!(parsed.names.len(), text.split(';').count(), "{text}");
            }
        }
        let aliases = TABLE.lines().filter(|line| line.starts_with("> ")).count();
        assert!(aliases > 150, "{aliases} aliases");
        for alias in TABLE.lines().filter_map(|line| line.strip_prefix("> ")) {
            let (alias, name) = alias.split_once(' ').unwrap();
            assert_eq!(canonical(alias), Some(name), "{alias}");
        }
    }

    #[test]
    fn every_zone_has_rules() {
        for zone in table().zones.values() {
            assert!(
                zone.name == "UTC" || jiff::tz::TimeZoneDatabase::bundled().get(zone.name).is_ok(),
                "{}",
                zone.name
            );
        }
    }

    #[test]
    fn names_follow_the_offset_and_the_time() {
        let both = |zone, milliseconds, offset| {
            let names = names(zone, milliseconds, offset);
            (names.long, names.short)
        };
        assert_eq!(both("Europe/Berlin", JULY_2024, 7_200), ("Central European Summer Time", ""));
        assert_eq!(both("europe/berlin", JULY_2024, 3_600), ("Central European Standard Time", ""));
        assert_eq!(both("Europe/London", JULY_2024, 0), ("Greenwich Mean Time", "GMT"));
        assert_eq!(both("Europe/Dublin", JULY_2024, 3_600), ("Irish Standard Time", ""));
        assert_eq!(both("Etc/GMT+5", JULY_2024, -18_000), ("", ""));
        assert_eq!(both("Europe/Berlin", JULY_2024, 1), ("", ""));
        assert_eq!(both("America/New_York", -1.0, -18_000), ("", ""));
        assert_eq!(both("UTC", -1.0, 0), ("Coordinated Universal Time", "UTC"));
        assert_eq!(both("Mars/Olympus", JULY_2024, 0), ("", ""));
        assert_eq!(both("Europe/Istanbul", 1_400_000_000_000.0, 10_800), ("Eastern European Summer Time", ""));
        assert_eq!(both("Europe/Istanbul", JULY_2024, 10_800), ("Türkiye Standard Time", ""));
    }

    #[test]
    fn names_say_how_long_they_hold() {
        let moscow = names("Europe/Moscow", JULY_2024, 10_800);
        assert_eq!(moscow.until, f64::INFINITY);
        let before = names("Europe/Moscow", moscow.from - 1.0, 14_400);
        assert_eq!(before.until, moscow.from);
        assert_eq!(names("Europe/Moscow", moscow.from, 10_800), moscow);
        assert_eq!(names("Europe/Berlin", f64::NAN, 3_600).until, f64::INFINITY);
    }
}
