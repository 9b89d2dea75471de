/** As long as the API accepts. */
const MAX_LENGTH = 64;

/** The API name for a name: `Acme CRM` becomes `acme-crm`. Empty for a name in another script, which has none. */
export function apiName(name: string): string {
  const slug = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  // It must begin with a letter.
  return (/^\d/.test(slug) ? `app-${slug}` : slug).slice(0, MAX_LENGTH).replace(/-$/, '');
}
