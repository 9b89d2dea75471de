import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asanaForm, projects, workspaces } from '../../tests/form-samples';
import { errorResponse, FakeServer } from '../../tests/fake-server';
import { ConnectApi } from '../api';
import type { ErrorView } from '../views';
import { formParameters, NO_PARAMETERS, type FormParameters } from './parameters';
import { RapidForm, type FieldState } from './rapid-form';

let relink: FakeServer;
let ended: unknown[];

beforeEach(() => {
  vi.useFakeTimers();
  relink = new FakeServer();
  ended = [];
});
afterEach(() => {
  vi.useRealTimers();
});

const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

async function opened(parameters: Partial<FormParameters> = {}): Promise<RapidForm> {
  const events = {
    saved: (_: unknown, redirect: string | null) => void ended.push(['saved', redirect]),
    refused: ({ code }: ErrorView) => void ended.push(['refused', code]),
    optionsFailed: ({ code }: ErrorView, integration: string) =>
      void ended.push(['options', code, integration]),
  };
  const api = new ConnectApi('/connect-account', relink.fetch);
  const form = new RapidForm(api, 'token', { ...NO_PARAMETERS, ...parameters }, events, () => {});
  await form.start();
  await settled();
  return form;
}

function at(form: RapidForm, name: string): FieldState {
  const found = form.state.fields.find(({ field }) => field.name === name);
  if (!found) throw new Error(`there is no field ${name}`);
  return found;
}

/** What was asked for. */
const asked = (verb: string): unknown[] =>
  relink.calls.filter((call) => call.verb === verb).map(({ body }) => body);

describe('a form', () => {
  it('doesn’t empty what the app holds, when what it depends on changes', async () => {
    relink.form = { ...asanaForm, values: { workspace_id: 'w-1', projects: [3] } };
    const form = await opened({ preventDeselect: { projects: 'It is being synced.' } });
    form.change('workspace_id', 'w-2');
    expect(at(form, 'projects').value).toEqual([3]);
  });

  it('loads what the provider lists, and waits with what depends on another field', async () => {
    const form = await opened();
    expect(at(form, 'workspace_id').options).toEqual(workspaces);
    expect(at(form, 'projects')).toMatchObject({ options: [], disabled: 'Select a workspace first.' });
    expect(asked('options')).toHaveLength(1);
    form.change('workspace_id', 'w-1');
    await settled();
    expect(at(form, 'projects')).toMatchObject({ options: projects(12), disabled: null });
    expect(asked('options')[1]).toMatchObject({ field: 'projects', values: { workspace_id: 'w-1' } });
  });

  it('empties what depends on a field that changes, and asks anew', async () => {
    const form = await opened();
    form.change('workspace_id', 'w-1');
    await settled();
    form.change('projects', [1, 2]);
    form.change('workspace_id', 'w-2');
    expect(at(form, 'projects')).toMatchObject({ value: [], loading: 'loading' });
    await settled();
    expect(asked('options')[2]).toMatchObject({ field: 'projects', values: { workspace_id: 'w-2' } });
    form.change('workspace_id', null);
    expect(at(form, 'projects')).toMatchObject({ options: [], disabled: 'Select a workspace first.' });
  });

  it('ignores an answer that came too late', async () => {
    const answers: (() => void)[] = [];
    relink.onOptions = ({ field, values }) =>
      field === 'workspace_id'
        ? { options: workspaces }
        : new Promise((answer) => {
            const option = { value: String(values['workspace_id']), label: 'x', sub_text: null };
            answers.push(() => answer({ options: [option] }));
          });
    const form = await opened();
    form.change('workspace_id', 'w-1');
    await settled();
    form.change('workspace_id', 'w-2');
    await settled();
    for (const answer of answers.toReversed()) answer();
    await settled();
    expect(at(form, 'projects').options.map(({ value }) => value)).toEqual(['w-2']);
  });

  it('begins with the values that the account has, and shows what is not offered any more', async () => {
    relink.form = {
      ...asanaForm,
      values: { workspace_id: 'w-2', projects: [5, 99], mode: 'open', prefix: 'X-', agreed: true },
      kept: ['pin'],
    };
    const form = await opened();
    expect(at(form, 'workspace_id')).toMatchObject({
      value: 'w-2',
      options: [workspaces[1], workspaces[0]],
    });
    const shown = at(form, 'projects').options.slice(0, 3);
    expect(shown.map(({ value }) => value)).toEqual([99, 5, 1]);
    expect(shown[0]).toMatchObject({ sub_text: 'No longer offered' });
    expect([at(form, 'prefix').value, at(form, 'agreed').value, at(form, 'pin').isKept]).toEqual([
      'X-',
      true,
      true,
    ]);
  });

  it('sends values and passwords apart, and nothing of fields that wait', async () => {
    const form = await opened({ additionalContext: { source: 'app', other: 1 } });
    form.change('mode', 'all');
    form.change('pin', '0000');
    await form.submit();
    expect(asked('submit')).toEqual([
      {
        values: { workspace_id: null, mode: 'all', prefix: null, agreed: false, source: 'app' },
        secrets: { pin: '0000' },
        additional_context: { source: 'app', other: 1 },
      },
    ]);
    expect(ended).toEqual([['saved', null]]);
  });

  it('fills in a hidden field with the first of its options', async () => {
    const [workspace, ...others] = asanaForm.fields;
    relink.form = { ...asanaForm, fields: [{ ...workspace!, type: 'hidden' }, ...others] };
    const form = await opened();
    expect(at(form, 'workspace_id').value).toBe('w-1');
    await settled();
    expect(at(form, 'projects').options).toHaveLength(12);
  });

  it('shows each mistake at its field, and what is about the whole form below', async () => {
    relink.onSubmit = () => ({
      result: 'invalid',
      problems: [
        { field: 'workspace_id', message: 'Select an option.' },
        { field: 'source', message: 'It has no source.' },
        { field: null, message: 'It is Sunday.' },
      ],
    });
    const form = await opened();
    await form.submit();
    expect(at(form, 'workspace_id').problem).toBe('Select an option.');
    expect(form.state).toMatchObject({ problem: 'It has no source. It is Sunday.', isSending: false });
    expect(ended).toEqual([]);
    form.change('workspace_id', 'w-1');
    expect(at(form, 'workspace_id').problem).toBeNull();
  });

  it('says when options can’t be loaded, and loads them again', async () => {
    relink.onOptions = () => errorResponse(422, 'form_options_failed', 'The provider answered 403.');
    const form = await opened();
    expect(at(form, 'workspace_id')).toMatchObject({ loading: 'failed' });
    expect(at(form, 'workspace_id').error?.message).toBe('The provider answered 403.');
    expect(ended).toEqual([['options', 'form_options_failed', 'asana']]);
    relink.onOptions = () => ({ options: workspaces });
    form.retry('workspace_id');
    await settled();
    expect(at(form, 'workspace_id')).toMatchObject({ loading: 'done', options: workspaces, error: null });
  });

  it('waits until a text stays as it is, before it loads what depends on it', async () => {
    const prefix = asanaForm.fields.find(({ name }) => name === 'prefix')!;
    const projectsByPrefix = { ...asanaForm.fields[1]!, depends_on: ['prefix'] };
    relink.form = { ...asanaForm, fields: [prefix, projectsByPrefix] };
    const form = await opened();
    for (const text of ['A', 'AC', 'ACM']) form.change('prefix', text);
    await settled();
    expect(asked('options')).toEqual([]);
    await vi.advanceTimersByTimeAsync(400);
    expect(asked('options')).toMatchObject([{ field: 'projects', values: { prefix: 'ACM' } }]);
  });

  it('gives a hidden field its first option where the stored one isn’t offered, also once more', async () => {
    const [workspace] = asanaForm.fields;
    const hidden = asanaForm.fields.find(({ name }) => name === 'source')!;
    const options = [{ value: 'now', label: 'Now', sub_text: null }];
    const fields = [workspace!, { ...hidden, options, depends_on: ['workspace_id'] }];
    relink.form = { ...asanaForm, fields, values: { workspace_id: 'w-1', source: 'before' } };
    const form = await opened();
    expect(at(form, 'source').value).toBe('now');
    form.change('workspace_id', 'w-2');
    expect(at(form, 'source').value).toBe('now');
  });

  it('takes “no” for an answer', async () => {
    const [workspace, others] = asanaForm.fields;
    const options = [{ value: false, label: 'No', sub_text: null }];
    relink.form = { ...asanaForm, fields: [{ ...workspace!, options }, others!] };
    const form = await opened();
    form.change('workspace_id', false);
    expect(at(form, 'projects').disabled).toBeNull();
  });

  it('is saved when only the answer was lost', async () => {
    const form = await opened();
    relink.onSubmit = () => {
      relink.onSubmit = () => errorResponse(409, 'form_submitted', 'It was submitted already.');
      throw new TypeError('fetch failed');
    };
    void form.submit();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(ended).toEqual([['saved', null]]);
  });

  it('is refused, or not saved, with the reason', async () => {
    const form = await opened();
    relink.onSubmit = () => errorResponse(409, 'account_not_active', 'It isn’t active.');
    await form.submit();
    expect(form.state.error?.message).toBe('It isn’t active.');
    relink.form = errorResponse(409, 'form_not_set_up', 'There is no form.');
    await opened();
    expect(ended).toEqual([['refused', 'form_not_set_up']]);
  });

  it('locks what was chosen in each kind of field with choices, and no text', async () => {
    const why = 'It is being synced.';
    const everywhere = Object.fromEntries(asanaForm.fields.map(({ name }) => [name, why]));
    relink.form = {
      ...asanaForm,
      values: { workspace_id: 'w-1', projects: [3, 5], prefix: 'ACME-', agreed: true, source: 'app' },
    };
    const form = await opened({ preventDeselect: everywhere });
    const locked = Object.fromEntries(
      form.state.fields.map(({ field, locked: held }) => [field.name, held?.values]),
    );
    expect(locked).toEqual({ workspace_id: ['w-1'], projects: [3, 5], agreed: [true] });
    relink.form = { ...asanaForm, values: { agreed: false } };
    const empty = await opened({ preventDeselect: everywhere });
    expect(empty.state.fields.every(({ locked: held }) => held === null)).toBe(true);
  });

  it('keeps what the app doesn’t let go of, and closes what it disables', async () => {
    relink.form = { ...asanaForm, values: { workspace_id: 'w-1', projects: [3] } };
    const query = new URLSearchParams({
      truto_prevent_deselect: '{"projects": {"message": "It is being synced."}, "mode": {"message": "x"}}',
      truto_disabled_fields: '{"workspace_id": {"message": "Set by Acme."}}',
    });
    const form = await opened(formParameters(query));
    expect(at(form, 'projects').locked).toEqual({ values: [3], why: 'It is being synced.' });
    expect(at(form, 'mode').locked).toBeNull();
    expect(at(form, 'workspace_id').disabled).toBe('Set by Acme.');
    await form.submit();
    expect(asked('submit')[0]).toMatchObject({ values: { workspace_id: 'w-1', projects: [3] } });
  });
});

const read = (name: string, value: string) => formParameters(new URLSearchParams({ [name]: value }));

describe('the parameters of a form', () => {
  it('are JSON objects, and anything else is named', () => {
    expect(read('truto_additional_context', '{"a": {"b": 1}}').additionalContext).toEqual({ a: { b: 1 } });
    for (const broken of ['[]', '1', 'null', '{', '"a"']) {
      expect(read('truto_additional_context', broken).malformed).toBe('truto_additional_context');
    }
    expect(read('truto_disabled_fields', '{"a": {}, "b": "x"}')).toMatchObject({
      disabledFields: { a: '', b: '' },
      malformed: null,
    });
    expect(formParameters(new URLSearchParams())).toEqual(NO_PARAMETERS);
  });
});
