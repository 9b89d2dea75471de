import type { FormField, FormOption, FormSession } from '../connect/api';
import type { FormOptions, OptionsRequest } from '../connect/types';

/** Sample responses about forms. */

function field(name: string, label: string, change: Partial<FormField> = {}): FormField {
  return {
    name,
    label,
    type: 'text',
    required: false,
    help_text: null,
    placeholder: null,
    depends_on: [],
    disabled_text: null,
    options: [],
    ...change,
  };
}

/** A form with every kind of field. */
export const asanaForm: FormSession = {
  integration: 'asana',
  integration_label: 'Asana',
  logo: null,
  color: '#f06a6a',
  account: { id: '0193', name: 'Acme engineering', identity: 'octo-acme' },
  tenant_id: 'acme-1',
  requested_by: { team: 'Acme', program: 'sync-agent' },
  fields: [
    field('workspace_id', 'Workspace', {
      type: 'single_select',
      required: true,
      help_text: 'The workspace to sync.',
      options: null,
    }),
    field('projects', 'Projects', {
      type: 'multi_select',
      required: true,
      depends_on: ['workspace_id'],
      disabled_text: 'Select a workspace first.',
      options: null,
    }),
    field('mode', 'What to sync', {
      type: 'single_select',
      options: [
        { value: 'all', label: 'Everything', sub_text: 'Also what is completed' },
        { value: 'open', label: 'Open tasks', sub_text: null },
      ],
    }),
    field('prefix', 'Prefix', { placeholder: 'ACME-' }),
    field('pin', 'Webhook secret', { type: 'password' }),
    field('agreed', 'Sync attachments, too', { type: 'checkbox', help_text: 'They can be large.' }),
    field('source', 'Source', { type: 'hidden' }),
  ],
  values: {},
  kept: [],
};

/** A field that nobody sees, whose value the provider lists. */
export const region = field('region', 'Region', { type: 'hidden', options: null });

export const workspaces: FormOption[] = [
  { value: 'w-1', label: 'Acme', sub_text: 'w-1' },
  { value: 'w-2', label: 'Acme Labs', sub_text: 'w-2' },
];

export function projects(count: number): FormOption[] {
  return Array.from({ length: count }, (_, at) => ({
    value: at + 1,
    label: `Project ${at + 1}`,
    sub_text: `P-${at + 1}`,
  }));
}

/** What the provider lists. */
export function optionsOf({ field: name }: OptionsRequest): FormOptions {
  return { options: name === 'workspace_id' ? workspaces : projects(12) };
}
