-- Since when an account is a sandbox account: found by that time, by its last change and by its id.
ALTER TABLE integrated_account ADD COLUMN sandbox_since INTEGER;
UPDATE integrated_account
   SET sandbox_since = coalesce(CAST(round(unixepoch(document ->> '$.profile.settings.sandbox_since', 'subsec') * 1000) AS INTEGER), created_at)
 WHERE document ->> '$.profile.is_sandbox';
CREATE INDEX integrated_account_sandbox ON integrated_account (id) WHERE sandbox_since IS NOT NULL;
CREATE INDEX integrated_account_sandbox_since ON integrated_account (sandbox_since) WHERE sandbox_since IS NOT NULL;
CREATE INDEX integrated_account_sandbox_updated ON integrated_account (updated_at) WHERE sandbox_since IS NOT NULL;
