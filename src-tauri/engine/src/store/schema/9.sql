-- What an API token is limited to, as JSON. Empty: nothing.
ALTER TABLE api_token ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
