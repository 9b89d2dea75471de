import { createContext } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';

/** What a person wrote of a job and didn’t save. */
export interface JobDraft {
  text: string;
  /** The version that it is a change of; `null` for a new job. */
  version: string | null;
}

/** Unsaved jobs, by their ids; the new one under `null`. They are kept while the window is open, whatever page it shows. */
export class JobDrafts {
  #drafts = new SvelteMap<string | null, JobDraft>();

  of(job: string | null): JobDraft | null {
    return this.#drafts.get(job) ?? null;
  }

  keep(job: string | null, draft: JobDraft | null): void {
    if (draft === null) this.#drafts.delete(job);
    else this.#drafts.set(job, draft);
  }
}

export const [getJobDrafts, setJobDrafts] = createContext<JobDrafts>();
