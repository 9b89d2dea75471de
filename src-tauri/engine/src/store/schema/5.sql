-- How much an API token may do. Those of earlier versions could do everything that the API offers.
ALTER TABLE api_token ADD COLUMN level TEXT NOT NULL DEFAULT 'full';

-- The API token that created it; NULL: the person, or before this version.
ALTER TABLE link_token ADD COLUMN api_token_id TEXT;
ALTER TABLE webhook ADD COLUMN api_token_id TEXT;
