import { Problem, type ConnectApi, type FormField, type FormOption, type FormSession } from '../api';
import { retryUntilResponse } from '../retry';
import { pause } from '../time';
import type { ErrorView } from '../views';
import type { FormParameters } from './parameters';

/** How long a text must stay as it is until what depends on it is loaded. */
const TYPING_PAUSE_MS = 400;
/** Codes that say that a form was submitted already. */
const SUBMITTED = new Set(['form_submitted', 'link_token_used']);

/** The kinds of fields in which something is chosen. */
const CHOICES = new Set<FormField['type']>(['single_select', 'multi_select', 'checkbox']);

export type Scalar = string | number | boolean;
/** What a field has: nothing, one value, or those of a multi-select. A typed password is here until it is sent. */
export type FieldValue = Scalar | Scalar[] | null;

/** A field, as it is shown. */
export interface FieldState {
  field: FormField;
  value: FieldValue;
  options: FormOption[];
  /** How far the options are that the provider lists. */
  loading: 'done' | 'loading' | 'failed';
  /** Why they can’t be loaded. */
  error: ErrorView | null;
  /** What is wrong with the value. */
  problem: string | null;
  /** Why it can’t be filled in; null: it can. */
  disabled: string | null;
  /** What was chosen and can’t be taken back, and why. */
  locked: { values: Scalar[]; why: string } | null;
  /** A password is there already. */
  isKept: boolean;
}

export interface FormState {
  session: FormSession | null;
  fields: FieldState[];
  /** What is wrong with the whole form. */
  problem: string | null;
  error: ErrorView | null;
  isSending: boolean;
  unreachable: boolean;
}

/** What a form says to the page that shows it. */
export interface FormEvents {
  saved(session: FormSession, redirectUri: string | null): void;
  /** It can’t be shown. */
  refused(error: ErrorView, integration: string | null): void;
  /** A field’s options can’t be loaded. The form stays, so that it can be tried again. */
  optionsFailed(error: ErrorView, integration: string): void;
}

/** The state of a form while it is filled in. Whether the values are right, Relink says when they are sent. */
export class RapidForm {
  #state: FormState = {
    session: null,
    fields: [],
    problem: null,
    error: null,
    isSending: false,
    unreachable: false,
  };
  readonly #task = new AbortController();
  readonly #loads = new Map<string, AbortController>();
  readonly #api: ConnectApi;
  readonly #token: string;
  readonly #parameters: FormParameters;
  readonly #events: FormEvents;
  readonly #changed: (state: FormState) => void;

  constructor(
    api: ConnectApi,
    token: string,
    parameters: FormParameters,
    events: FormEvents,
    changed: (state: FormState) => void,
  ) {
    this.#api = api;
    this.#token = token;
    this.#parameters = parameters;
    this.#events = events;
    this.#changed = changed;
  }

  get state(): FormState {
    return this.#state;
  }

  async start(): Promise<void> {
    const { signal } = this.#task;
    try {
      const session = await this.#callUntilResponse(signal, () => this.#api.form(this.#token, signal));
      this.#set({ session, fields: session.fields.map((field) => this.#initial(field, session)) });
      this.#enable();
      for (const { field } of this.#state.fields) void this.#load(field.name);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.#events.refused(viewOf(error), null);
    }
  }

  stop(): void {
    this.#task.abort();
  }

  /** Sets a value. Fields that depend on it lose theirs, and get their options anew. */
  change(name: string, value: FieldValue): void {
    this.#update(name, { value, problem: null });
    const dependent = this.#dependentOn(name);
    for (const other of dependent) {
      // What the app has set stays.
      const isFixed =
        this.#find(other).locked !== null || this.#parameters.disabledFields[other] !== undefined;
      if (!isFixed) this.#update(other, { value: this.#emptied(this.#field(other)), problem: null });
    }
    this.#enable();
    // A text changes with every key.
    const delay = ['text', 'password'].includes(this.#field(name).type) ? TYPING_PAUSE_MS : 0;
    for (const other of dependent) void this.#load(other, delay);
  }

  /** Loads a field’s options again. */
  retry(name: string): void {
    void this.#load(name);
  }

  /** Sends the form. Resolves when its mistakes are shown, or it is saved. */
  async submit(): Promise<void> {
    const { session, isSending } = this.#state;
    if (!session || isSending) return;
    const { signal } = this.#task;
    this.#set({ isSending: true, problem: null, error: null });
    for (const { field } of this.#state.fields) this.#update(field.name, { problem: null });
    const filled = {
      values: this.#values(),
      secrets: this.#secrets(),
      additional_context: this.#parameters.additionalContext,
    };
    let tries = 0;
    try {
      const submit = () => {
        tries += 1;
        return this.#api.submitForm(this.#token, filled, signal);
      };
      const result = await this.#callUntilResponse(signal, submit);
      if (result.result === 'submitted') return this.#events.saved(session, result.redirect_uri);
      const general = [];
      for (const { field, message } of result.problems) {
        const shown = this.#state.fields.find((other) => other.field.name === field);
        if (shown && shown.field.type !== 'hidden') this.#update(shown.field.name, { problem: message });
        else general.push(message);
      }
      this.#set({ problem: general.join(' ') || null });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      // An earlier try got through, and only its answer was lost.
      if (tries > 1 && SUBMITTED.has(error.code)) return this.#events.saved(session, null);
      this.#set({ error: viewOf(error) });
    } finally {
      if (!signal.aborted) this.#set({ isSending: false });
    }
  }

  #initial(field: FormField, session: FormSession): FieldState {
    const { additionalContext, preventDeselect, disabledFields } = this.#parameters;
    const known = additionalContext[field.name] ?? session.values[field.name];
    const options = field.options ?? [];
    const isOffered = options.length === 0 || options.some(({ value: offered }) => offered === known);
    const value =
      field.type === 'hidden' && !isOffered
        ? this.#emptied(field)
        : (fieldValue(field, known) ?? this.#emptied(field));
    return {
      field,
      value,
      options: field.options === null ? [] : withChosen(field, options, value),
      loading: 'done',
      error: null,
      problem: null,
      disabled: disabledFields[field.name] ?? null,
      locked: lockedChoice(field, value, preventDeselect[field.name]),
      isKept: session.kept.includes(field.name),
    };
  }

  /** What a field has that the person hasn’t filled in: a hidden one what the app gives, or else the first of its options. */
  #emptied(field: FormField): FieldValue {
    if (field.type === 'multi_select') return [];
    if (field.type === 'checkbox') return false;
    if (field.type !== 'hidden') return null;
    const given = fieldValue(field, this.#parameters.additionalContext[field.name]);
    return given ?? field.options?.[0]?.value ?? null;
  }

  /** Fields whose dependencies have no value can’t be filled in. */
  #enable(): void {
    for (const { field } of this.#state.fields) {
      const missing = field.depends_on.filter((name) => !isFilled(this.#find(name)));
      const labels = missing.map((name) => this.#field(name).label);
      const why =
        this.#parameters.disabledFields[field.name] ??
        (missing.length === 0 ? null : (field.disabled_text ?? `Fill in ${labels.join(' and ')} first.`));
      this.#update(field.name, { disabled: why });
    }
  }

  /** The fields that depend on this one, also through others. */
  #dependentOn(name: string, found = new Set<string>()): Set<string> {
    for (const { field } of this.#state.fields) {
      if (!field.depends_on.includes(name) || found.has(field.name)) continue;
      found.add(field.name);
      this.#dependentOn(field.name, found);
    }
    return found;
  }

  /** Loads a field’s options, if the provider lists them and its dependencies have values. */
  async #load(name: string, delay = 0): Promise<void> {
    const { field } = this.#find(name);
    const { session } = this.#state;
    if (field.options !== null || !session) return;
    this.#loads.get(name)?.abort();
    if (!field.depends_on.every((other) => isFilled(this.#find(other)))) {
      this.#update(name, { options: [], loading: 'done', error: null });
      return;
    }
    const load = new AbortController();
    this.#loads.set(name, load);
    const signal = AbortSignal.any([this.#task.signal, load.signal]);
    this.#update(name, { options: [], loading: 'loading', error: null });
    const request = {
      field: name,
      values: this.#values(),
      additional_context: this.#parameters.additionalContext,
    };
    try {
      if (delay > 0) await pause(delay, signal);
      const get = () => this.#api.formOptions(this.#token, request, signal);
      const { options } = await this.#callUntilResponse(signal, get);
      const { value } = this.#find(name);
      this.#update(name, { loading: 'done', options: withChosen(field, options, value) });
      const [first] = options;
      if (field.type === 'hidden' && value === null && first) this.change(name, first.value);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      const shown = viewOf(error);
      this.#update(name, { loading: 'failed', error: shown });
      this.#events.optionsFailed(shown, session.integration);
    }
  }

  /** What is filled in, without passwords and without fields that can’t be filled in yet. */
  #values(): Record<string, unknown> {
    const open = this.#state.fields.filter(({ field }) =>
      field.depends_on.every((name) => isFilled(this.#find(name))),
    );
    const values = open.filter(({ field }) => field.type !== 'password');
    return Object.fromEntries(values.map(({ field, value }) => [field.name, value]));
  }

  #secrets(): Record<string, string> {
    const typed = this.#state.fields.filter(
      ({ field, value }) => field.type === 'password' && value !== null,
    );
    return Object.fromEntries(typed.map(({ field, value }) => [field.name, String(value)]));
  }

  #find(name: string): FieldState {
    const found = this.#state.fields.find(({ field }) => field.name === name);
    if (!found) throw new Error(`the form has no field ${name}`);
    return found;
  }

  #field(name: string): FormField {
    return this.#find(name).field;
  }

  #update(name: string, change: Partial<FieldState>): void {
    const fields = this.#state.fields.map((state) =>
      state.field.name === name ? { ...state, ...change } : state,
    );
    this.#set({ fields });
  }

  #callUntilResponse<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    return retryUntilResponse(signal, call, (unreachable) => {
      if (this.#state.unreachable !== unreachable) this.#set({ unreachable });
    });
  }

  #set(change: Partial<FormState>): void {
    this.#state = { ...this.#state, ...change };
    this.#changed(this.#state);
  }
}

function viewOf({ code, title, message, hint, field }: Problem): ErrorView {
  return { code, title, message, hint, field };
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** A known value, if it fits the field. */
function fieldValue(field: FormField, known: unknown): FieldValue {
  if (field.type === 'multi_select') return Array.isArray(known) ? known.filter(isScalar) : [];
  if (field.type === 'checkbox') return known === true;
  return isScalar(known) && known !== '' ? known : null;
}

/** What stays chosen in a field: a text is typed, not chosen. */
function lockedChoice({ type }: FormField, value: FieldValue, why?: string): FieldState['locked'] {
  if (why === undefined || value === null || !CHOICES.has(type)) return null;
  const chosen = (Array.isArray(value) ? value : [value]).filter(
    (one) => type !== 'checkbox' || one === true,
  );
  return chosen.length === 0 ? null : { values: chosen, why };
}

function isFilled({ field, value, isKept }: FieldState): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'string') return value.trim() !== '';
  if (field.type === 'checkbox') return value === true;
  return isKept || value !== null;
}

/** The options with what is chosen first. What isn’t offered any more stays visible, so that it can be removed. */
function withChosen({ type }: FormField, options: FormOption[], value: FieldValue): FormOption[] {
  const chosen = Array.isArray(value) ? value : value === null || typeof value === 'boolean' ? [] : [value];
  if (type !== 'multi_select' && type !== 'single_select') return options;
  const gone = chosen.filter((one) => !options.some((option) => option.value === one));
  const isChosen = ({ value: one }: FormOption): boolean => chosen.includes(one);
  return [
    ...gone.map((one) => ({ value: one, label: String(one), sub_text: 'No longer offered' })),
    ...options.filter(isChosen),
    ...options.filter((option) => !isChosen(option)),
  ];
}
