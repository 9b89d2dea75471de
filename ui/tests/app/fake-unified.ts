import type { MappedMethod, MappingView, TriedMapping, UnifiedModel } from '../../host/types';

/** What a `FakeRelink` says of unified models, unless a test says otherwise. */
export const UNIFIED_MODELS = {
  unified_models: (): UnifiedModel[] => [],
  install_unified_model: () => null,
  uninstall_unified_model: () => null,
  unified_mapping: (): MappingView => mappingView(),
  try_mapping: (): TriedMapping => tried(),
  try_mapping_with_account: (): TriedMapping => tried(),
  save_mapping: (): string[] => [],
};

export function mapped(
  integration: string,
  method: string,
  change: Partial<MappedMethod> = {},
): MappedMethod {
  return { integration, method, has_base: true, is_overridden: false, accounts: [], ...change };
}

export function ticketing(change: Partial<UnifiedModel> = {}): UnifiedModel {
  return {
    name: 'ticketing',
    label: 'Ticketing',
    category: 'ticketing',
    description: 'Tickets, the people who work on them, and what they say.',
    built_in: true,
    installed: true,
    resources: [
      {
        name: 'tickets',
        description: 'What people work on, such as issues and tasks.',
        methods: ['list', 'get', 'create'],
        fields: [
          { name: 'id', depth: 0, kind: 'string', is_required: true, description: 'The ID', values: [] },
          {
            name: 'status',
            depth: 0,
            kind: 'string',
            is_required: false,
            description: 'How far it is',
            values: ['open', 'in_progress', 'closed'],
          },
          {
            name: 'assignees',
            depth: 0,
            kind: 'list of objects',
            is_required: false,
            description: 'The people that it is assigned to',
            values: [],
          },
          { name: 'id', depth: 1, kind: 'string', is_required: true, description: 'The ID', values: [] },
        ],
        mappings: [
          mapped('github', 'get'),
          mapped('github', 'list', { is_overridden: true, accounts: ['Acme engineering'] }),
          mapped('sandbox', 'close', { has_base: false, is_overridden: true }),
          mapped('sandbox', 'list'),
        ],
      },
      { name: 'users', description: null, methods: [], fields: [], mappings: [] },
    ],
    integrations: [
      { name: 'github', label: 'GitHub', color: '#24292f' },
      { name: 'sandbox', label: 'Sandbox', color: '#0f766e' },
    ],
    ...change,
  };
}

export const RESPONSE_MAPPING =
  "response.{ 'id': $string(number), 'name': title, 'status': state = 'closed' ? 'closed' : 'open', 'created_at': created_at, 'updated_at': updated_at }";

export function mappingView(change: Partial<MappingView> = {}): MappingView {
  const keys = [
    { name: 'resource', text: 'issues', language: 'text' as const },
    {
      name: 'query_mapping',
      text: "{ 'state': query.status, 'limit': query.limit }",
      language: 'text' as const,
    },
    { name: 'response_mapping', text: RESPONSE_MAPPING, language: 'text' as const },
  ];
  return {
    integration_label: 'GitHub',
    installed: true,
    built_in: true,
    keys,
    base: keys,
    override_version: null,
    known_keys: ['query', 'before', 'resource', 'query_mapping', 'response_mapping', 'side_load'],
    accounts: [{ id: '2', name: 'Acme engineering', is_overridden: false }],
    sample: JSON.stringify(
      { query: { status: 'open' }, response: [{ number: 7, title: 'Broken' }] },
      null,
      2,
    ),
    documentation_link: null,
    ...change,
  };
}

export function tried(change: Partial<TriedMapping> = {}): TriedMapping {
  const record = { id: '7', name: 'Broken', status: 'open', remote_data: { number: 7, title: 'Broken' } };
  return {
    request: JSON.stringify({ resource: 'issues', method: 'list', query: { state: 'open' } }, null, 2),
    sample: null,
    output: JSON.stringify(
      { result: [record], next_cursor: null, prev_cursor: null, result_count: 1 },
      null,
      2,
    ),
    problem: null,
    faults: [],
    unanswered: [],
    ...change,
  };
}
