import type { SyncGraph } from '../../host/types';

/** The nodes that lead to each node, by their places. */
export function aboveOf({ nodes, edges }: SyncGraph): number[][] {
  return nodes.map((_, at) => edges.filter(({ to }) => to === at).map(({ from }) => from));
}

/** The nodes that each node leads to. */
export function belowOf({ nodes, edges }: SyncGraph): number[][] {
  return nodes.map((_, at) => edges.filter(({ from }) => from === at).map(({ to }) => to));
}

/** A row of a drawn graph: nodes by their places, and gaps, so that what belongs together stays in its column. */
export type Row = (number | null)[];

/**
 * The rows in which a graph is drawn, top to bottom: each node is below all that lead to it, and what happens at the end is
 * below everything else. At most so many nodes stand beside each other: what is wider is drawn part by part.
 */
export function rowsOf(graph: SyncGraph, columns: number): Row[] {
  const above = aboveOf(graph);
  const below = belowOf(graph);
  const all = graph.nodes.map((_, at) => at);
  const end = reachableFrom(
    all.filter((at) => graph.nodes[at]?.is_at_end),
    (at) => below[at] ?? [],
  );
  const most = Math.max(1, columns);
  const main = all.filter((at) => !end.has(at));
  return [main, [...end].toSorted((one, other) => one - other)].flatMap((part) =>
    partRows(part, above, below, most),
  );
}

function reachableFrom(from: number[], next: (at: number) => number[]): Set<number> {
  const found = new Set(from);
  // A set goes through what is added on the way, too.
  for (const at of found) for (const other of next(at)) found.add(other);
  return found;
}

/** The rows of some of the nodes. */
function partRows(part: number[], above: number[][], below: number[][], columns: number): Row[] {
  const layers = layersOf(part, above);
  if (layers.every((layer) => layer.length <= columns)) return layers;
  const [first = [], ...others] = layers;
  const top: Row[] = Array.from({ length: Math.ceil(first.length / columns) }, (_, at) =>
    first.slice(at * columns, (at + 1) * columns),
  );
  // What isn’t connected any more without the first row is drawn side by side, as far as it fits.
  const rest = new Set(others.flat());
  const bands: { rows: Row[]; width: number }[] = [];
  for (const at of others.flat()) {
    if (!rest.has(at)) continue;
    const connected = reachableFrom([at], (node) =>
      [...(above[node] ?? []), ...(below[node] ?? [])].filter((other) => rest.has(other)),
    );
    for (const node of connected) rest.delete(node);
    const own = part.filter((node) => connected.has(node));
    const rows = partRows(own, above, below, columns);
    const width = Math.max(...rows.map((row) => row.length));
    const band = bands.at(-1);
    if (band && band.width + width <= columns) addBeside(band, rows, width);
    else bands.push({ rows, width });
  }
  return [...top, ...bands.flatMap(({ rows }) => rows)];
}

function addBeside(band: { rows: Row[]; width: number }, rows: Row[], width: number): void {
  const height = Math.max(band.rows.length, rows.length);
  const padded = (row: Row = [], length: number): Row => [
    ...row,
    ...Array.from({ length: length - row.length }, () => null),
  ];
  band.rows = Array.from({ length: height }, (_, at) => [
    ...padded(band.rows[at], band.width),
    ...padded(rows[at], width),
  ]);
  band.width += width;
}

/** The layers of some nodes: each is below those of them that lead to it. */
function layersOf(part: number[], above: number[][]): number[][] {
  const level = new Map(part.map((at) => [at, 0]));
  const parents = (at: number): number[] => (above[at] ?? []).filter((parent) => level.has(parent));
  // A graph has no circles, so that as many rounds as nodes are enough.
  for (let round = 0; round < part.length; round += 1)
    for (const at of part)
      level.set(
        at,
        Math.max(level.get(at) ?? 0, ...parents(at).map((parent) => (level.get(parent) ?? 0) + 1)),
      );
  const layers: number[][] = [];
  for (const [at, layer] of level) (layers[layer] ??= []).push(at);
  // What belongs together stands together: a node is where those above it are, on average.
  const place = new Map<number, number>();
  const middle = (at: number): number => {
    const found = parents(at).map((parent) => place.get(parent) ?? 0);
    return found.length === 0 ? 0 : found.reduce((sum, one) => sum + one, 0) / found.length;
  };
  return layers.map((layer) => {
    const sorted = layer.toSorted((one, other) => middle(one) - middle(other) || one - other);
    sorted.forEach((at, index) => place.set(at, (index + 0.5) / sorted.length));
    return sorted;
  });
}

const KINDS: Record<string, string> = {
  request: 'Request',
  transform: 'Transform',
  add_context: 'Add context',
  spool: 'Spool',
  get_state: 'Read state',
  update_state: 'Write state',
  delete_state: 'Delete state',
  event: 'Event',
  destination: 'Destination',
};

/** The destination of a flat job’s records, which isn’t among the nodes that are written. */
const OF_RUN = '(run)';

/** What a node is called. */
export const nameOf = (name: string): string => (name === OF_RUN ? 'run’s destination' : name);

/** What a type of node is called. */
export const kindOf = (kind: string): string => KINDS[kind] ?? kind;
