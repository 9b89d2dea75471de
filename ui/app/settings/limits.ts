import type { TokenLimits } from '../../host/types';

/** What a token is limited to, after its level: `, 2 accounts, read only`. Empty without limits. */
export function limitsText({ accounts, integrations, read_only: readOnly }: TokenLimits): string {
  const parts = [];
  if (accounts) parts.push(accounts.length === 1 ? '1 account' : `${accounts.length} accounts`);
  if (integrations) parts.push(`only ${integrations.join(', ')}`);
  if (readOnly) parts.push('read only');
  return parts.map((part) => `, ${part}`).join('');
}
