import type { MappingKey, MappingLanguage } from '../../host/types';

/** What each key of a mapping is for. Their order is Relink’s (`known_keys`). */
const SENTENCES: Record<string, string> = {
  query: 'Defaults under the query that the caller sends.',
  body: 'The default under the body that the caller sends.',
  before: 'Steps that run first: requests and transforms. Results are at before.{name}.',
  resource: 'The provider’s resource that is called: a name, or an expression that chooses one of a list.',
  method: 'The method of that resource: a name, or an expression that chooses one of a list.',
  query_mapping: 'Makes the provider’s whole query of the caller’s. Without it, the query goes as it is.',
  request_body_mapping: 'Makes the provider’s body of the caller’s. Without it, the body goes as it is.',
  path_mapping: 'Gives the path below the base URL, in place of the method’s own.',
  request_header_mapping: 'Gives headers over the definition’s. None replaces the credential.',
  error_mapping: 'Says what an error of the provider reads like: status, message, and anything else.',
  response_mapping: 'Makes the model’s records of the provider’s answer. null drops a record.',
  response_mapping_method: 'array: the response mapping runs once over all records. item: once for each.',
  side_load: 'Further requests for each record, whose results are added to it.',
  after: 'Steps that run last. They see the records as data.',
  is_partial_expression: 'Whether the answer lacks something. If so, it says is_partial_response.',
  response_header_mapping: 'Gives the headers of the answer to the caller.',
  query_schema: 'The JSON schema of the query. What it requires is asked for before anything is called.',
  request_body_schema:
    'The JSON schema of the body. What it requires is asked for before anything is called.',
  file_upload: 'Describes how files are sent. It has no effect on a call.',
  documentation_link: 'Where the provider documents this method.',
};

export const sentenceOf = (key: string): string =>
  SENTENCES[key] ?? 'Relink doesn’t know this key. It is kept, and has no effect.';

/** The keys whose effect is seen in the request to the provider. */
const OF_REQUEST = new Set([
  'query',
  'body',
  'before',
  'resource',
  'method',
  'query_mapping',
  'request_body_mapping',
  'path_mapping',
  'request_header_mapping',
]);

export const isOfRequest = (key: string): boolean => OF_REQUEST.has(key);

/** Keys that are an expression, or an object of expressions. */
const EXPRESSIONS = new Set([
  'query_mapping',
  'request_body_mapping',
  'path_mapping',
  'request_header_mapping',
  'error_mapping',
  'response_mapping',
  'response_header_mapping',
  'resource',
  'method',
]);

/** Whether the person chooses what a key’s text is. */
export const hasChoice = (key: string): boolean => EXPRESSIONS.has(key);

const JSON_KEYS = new Set([
  'query',
  'body',
  'before',
  'side_load',
  'after',
  'query_schema',
  'request_body_schema',
  'file_upload',
]);

export const languageOf = (key: string): MappingLanguage => (JSON_KEYS.has(key) ? 'json' : 'text');

/** The keys with one of them changed or added, in the order in which they take effect. */
export function withKey(keys: MappingKey[], changed: MappingKey, known: string[]): MappingKey[] {
  const place = (name: string): number => (known.includes(name) ? known.indexOf(name) : known.length);
  return [...keys.filter(({ name }) => name !== changed.name), changed].toSorted(
    (one, other) => place(one.name) - place(other.name),
  );
}
