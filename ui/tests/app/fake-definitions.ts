import type { NewIntegration } from '../../host/types';

/** What a `FakeRelink` says of definitions, unless a test says otherwise. */
export const DEFINITIONS = {
  add_integration: () => ({ name: 'acme', replaced_for: null, warnings: [] }),
  create_integration: ({ integration }: { integration: NewIntegration }) => ({
    name: integration.name,
    replaced_for: null,
    warnings: [],
  }),
  definition: () => ({ text: '{}', version: 1, built_in: false, override_text: '{}' }),
  check_definition: () => null,
  save_definition: ({ name }: { name: string }) => ({ name, replaced_for: null, warnings: [] }),
  check_override: () => null,
  save_override: () => null,
};
