//! What English speakers call a zone's time, and which names are aliases: the facts in `zone_names.txt`, written by `js/zone-names.mjs`.

use std::collections::HashMap;
use std::sync::OnceLock;

const TABLE: &str = include_str!("zone_names.txt");

/// A stretch of time in which each offset of a zone has one name.
struct Period {
    /// Seconds since 1970.
    from: i64,
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

/// The long and the short name of the time in a zone at an instant, for the offset that holds there.
pub(super) fn names(zone: &str, milliseconds: f64, offset: i32) -> Option<(&'static str, &'static str)> {
    let table = table();
    let history = &table.histories[table.zones.get(&zone.to_ascii_lowercase())?.history];
    #[allow(clippy::cast_precision_loss)]
    let period = history.iter().rev().find(|period| period.from as f64 * 1000.0 <= milliseconds).or(history.first())?;
    period.names.iter().find(|(of, _, _)| *of == offset).map(|(_, long, short)| (*long, *short))
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
        from: if from.is_empty() { i64::MIN } else { from.parse().ok()? },
        names: names.split(';').filter_map(name).collect(),
    })
}

#[cfg(test)]
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
        assert_eq!(names("Europe/Berlin", JULY_2024, 7_200), Some(("Central European Summer Time", "")));
        assert_eq!(names("europe/berlin", JULY_2024, 3_600), Some(("Central European Standard Time", "")));
        assert_eq!(names("Europe/London", JULY_2024, 0), Some(("Greenwich Mean Time", "GMT")));
        assert_eq!(names("Europe/Dublin", JULY_2024, 3_600), Some(("Irish Standard Time", "")));
        assert_eq!(names("Etc/GMT+5", JULY_2024, -18_000), Some(("", "")));
        assert_eq!(names("Europe/Berlin", JULY_2024, 1), None);
        assert_eq!(names("Mars/Olympus", JULY_2024, 0), None);
        let turkey = |milliseconds, offset| names("Europe/Istanbul", milliseconds, offset).map(|names| names.0);
        assert_eq!(turkey(1_400_000_000_000.0, 10_800), Some("Eastern European Summer Time"));
        assert_ne!(turkey(JULY_2024, 10_800), Some("Eastern European Summer Time"));
    }
}
