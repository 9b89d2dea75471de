import type { SyncCounts, SyncRunEntry } from '../../host/types';
import { relative, span } from '../../lib/time';

/** A number with its groups of digits. */
export const number = (value: number): string => value.toLocaleString('en-US');

/** What a node has done: `1,240 fetched · 3 left out`. */
export function countsInWords({ fetched, persisted, dropped, deleted }: SyncCounts): string {
  const parts = [
    fetched === null ? '' : `${number(fetched)} fetched`,
    persisted === null || (fetched !== null && persisted === 0) ? '' : `${number(persisted)} delivered`,
    dropped === null || dropped === 0 ? '' : `${number(dropped)} left out`,
    deleted === null || deleted === 0 ? '' : `${number(deleted)} deleted`,
  ];
  return parts.filter(Boolean).join(' · ');
}

export interface RunState {
  /** For a badge. */
  label: string;
  tone: 'ok' | 'warn' | 'bad' | 'plain';
  /** A whole sentence. */
  sentence: string;
  over: boolean;
}

type Known = Pick<SyncRunEntry, 'status' | 'waits_for' | 'waits_until' | 'started_at' | 'finished_at'>;

/** What a run does, or what became of it. */
export function stateOf(run: Known, now: number): RunState {
  const until = run.waits_until === null ? '' : relative(run.waits_until, now);
  const soon = until === 'just now' || until.endsWith('ago') || until === '' ? 'now' : until;
  if (run.waits_for) {
    const sentence = `It waits until ${run.waits_for.name} is reauthorized, and continues automatically.`;
    return { label: 'Needs you', tone: 'bad', sentence, over: false };
  }
  switch (run.status) {
    case 'created':
      return { label: 'Waiting', tone: 'plain', sentence: 'It waits to be started.', over: false };
    case 'rate_limited': {
      const sentence = `The provider limits calls. The run continues automatically ${soon}.`;
      return { label: 'Rate limited', tone: 'warn', sentence, over: false };
    }
    case 'running':
      return run.waits_until === null
        ? { label: 'Running', tone: 'plain', sentence: 'It is running.', over: false }
        : {
            label: 'Waiting',
            tone: 'warn',
            sentence: `It waits, and continues automatically ${soon}.`,
            over: false,
          };
    case 'completed':
      return { label: 'Completed', tone: 'ok', sentence: 'It has completed.', over: true };
    case 'failed':
      return { label: 'Failed', tone: 'bad', sentence: 'It has failed.', over: true };
    case 'stopped':
      return { label: 'Stopped', tone: 'plain', sentence: 'It was stopped.', over: true };
  }
}

/** How long a run took, or has taken so far. */
export function durationOf(run: Known, now: number): string {
  if (run.started_at === null) return '';
  const millis = (run.finished_at === null ? now : Date.parse(run.finished_at)) - Date.parse(run.started_at);
  return millis < 1000 ? 'under 1 s' : span(millis);
}
