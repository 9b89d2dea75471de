import { createContext } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type { MappingKey, MappingRef } from '../../host/types';

/** What a person wrote of a mapping and didn’t save. */
export interface Draft {
  keys: MappingKey[];
  /** The version of this environment’s mapping that it is a change of, if there was one. */
  version: number | null;
}

const idOf = ({ model, resource, integration, method }: MappingRef): string =>
  JSON.stringify([model, resource, integration, method]);

/** Unsaved mappings and their inputs. They are kept while the window is open, whatever page it shows. */
export class MappingDrafts {
  #drafts = new SvelteMap<string, Draft>();
  #samples = new SvelteMap<string, string>();

  of(mapping: MappingRef): Draft | null {
    return this.#drafts.get(idOf(mapping)) ?? null;
  }

  /** Keeps a draft, or drops it. */
  keep(mapping: MappingRef, draft: Draft | null): void {
    if (draft === null) this.#drafts.delete(idOf(mapping));
    else this.#drafts.set(idOf(mapping), draft);
  }

  sampleOf(mapping: MappingRef): string | null {
    return this.#samples.get(idOf(mapping)) ?? null;
  }

  keepSample(mapping: MappingRef, sample: string): void {
    this.#samples.set(idOf(mapping), sample);
  }
}

/** What a mapping says: an empty key says nothing. */
function saidBy(keys: MappingKey[]): string {
  const said = keys.filter(({ text }) => text.trim() !== '').toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return JSON.stringify(said.map(({ name, text, language }) => [name, language, text]));
}

/** Whether two mappings say the same. */
export const isSame = (one: MappingKey[], other: MappingKey[]): boolean => saidBy(one) === saidBy(other);

export const [getMappingDrafts, setMappingDrafts] = createContext<MappingDrafts>();
