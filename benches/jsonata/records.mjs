// The records that `make bench SECTIONS=jsonata` maps: always the same ones. `node records.mjs [COUNT]` prints them, one a line.
import { pathToFileURL } from 'node:url';

const FIRST = ['Ada', 'Björn', 'Chiara', 'Devi', 'Emeka', 'Fatima', 'Guðrún', 'Hana', 'Ivo', 'Jules', 'Keiko', 'Łukasz', 'María', 'Noor'];
const LAST = ['Almeida', 'Brandt', "D'Souza", 'Eriksson', 'Fischer', 'García', 'Haddad', 'Ito', 'Kowalczyk', 'Lindqvist', 'Ngata', 'Okafor'];
const TITLES = ['Head of Purchasing', 'Software Engineer', 'Office Manager', 'Chief Financial Officer', null];
const COMPANIES = ['Northwind Tools', 'Blue Harbor Foods', 'Example Freight', 'Quarry & Sons'];
const CITIES = [['Lisbon', 'pt'], ['Hamburg', 'de'], ['Kyoto', 'jp'], ['Lagos', 'ng'], ['Oslo', 'no']];
const TAGS = ['newsletter', 'vip', 'trade fair 2025', 'partner', '', 'vip'];
const STAGES = ['lead', 'opportunity', 'customer', 'subscriber'];
const OWNERS = ['71', '72', '73', '74', '75'].map((id, index) => ({
  id,
  first: FIRST[index],
  last: LAST[index],
  email: `owner.${id}@example.com`,
}));

/** A linear congruential generator: the same numbers on every machine. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const two = (number) => String(number).padStart(2, '0');

function record(index) {
  const random = numbers(index * 7919 + 17);
  const pick = (list) => list[random(list.length)];
  const list = (most, make) => Array.from({ length: random(most + 1) }, (_, position) => make(position));
  const time = () =>
    `20${two(18 + random(8))}-${two(1 + random(12))}-${two(1 + random(28))}T${two(random(24))}:${two(random(60))}:${two(random(60))}.${random(10)}00+0${random(10)}:00`;
  const [first, last] = [pick(FIRST), pick(LAST)];
  const [city, country] = pick(CITIES);
  return {
    id: 51_000_000 + index * 37,
    properties: {
      full_name: random(3) === 0 ? `${first} ${last}` : null,
      firstname: first,
      lastname: last,
      jobtitle: pick(TITLES),
      emails: list(3, (position) => ({
        address: position === 2 ? 'unknown' : `${first}.${last}${position || ''}@Example.com`,
        kind: pick(['WORK', 'home', 'BILLING']),
      })),
      phones: list(3, () => ({ number: pick(['112', `+49 (40) ${100000 + random(900000)}`, `0044-${100000 + random(900000)}`]), kind: pick(['MOBILE', 'OFFICE']) })),
      owner_id: String(71 + random(6)),
      lifecyclestage: pick(STAGES),
      tags: list(6, () => pick(TAGS)).join('; '),
      address: { street: `Station Road ${1 + random(120)}`, city, country, zip: random(2) ? String(10000 + random(80000)) : null },
      birthday: random(2) ? `${two(1 + random(28))}/${two(1 + random(12))}/19${50 + random(50)}` : null,
      notes: 'Met at the trade fair, asked for the new price list, wants to be called in the afternoon. '.repeat(random(4)),
    },
    associations: {
      companies: { results: list(3, (position) => ({ id: 9000 + random(400), name: pick(COMPANIES), type: position === 1 ? 'primary' : 'secondary' })) },
    },
    deals: list(5, () => ({ id: random(1_000_000), status: pick(['won', 'lost', 'open']), amount: 500 + random(90_000) / 4, discount: pick([0, 0.05, 0.1]) })),
    custom_fields: list(8, (position) => ({ name: `field_${position}`, value: pick([null, 'yes', 'no', random(1000), true, ['a', 'b']]) })),
    createdAt: time(),
    updatedAt: random(4) === 0 ? null : time(),
    archived: false,
  };
}

/** Inputs of `contacts.jsonata`: a record in the scope that a response mapping sees. */
export function records(count) {
  return Array.from({ length: count }, (_, index) => ({
    response: record(index),
    query: { limit: 100, created_at: { gte: '2025-01-01T00:00:00Z' } },
    rawQuery: { limit: '100' },
    context: { tenant_id: 'tenant-42', region: 'eu', owners: OWNERS },
  }));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const input of records(Number(process.argv[2] ?? 1000))) process.stdout.write(`${JSON.stringify(input)}\n`);
}
