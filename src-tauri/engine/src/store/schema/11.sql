-- MCP servers, each with tools of one account. They end with the API token that made them.
CREATE TABLE mcp_token (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES integrated_account (id) ON DELETE CASCADE,
    integration TEXT NOT NULL,        -- its name, which stays
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    config TEXT NOT NULL,             -- JSON
    api_token_id TEXT REFERENCES api_token (id) ON DELETE CASCADE,  -- null: the person
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX mcp_token_account ON mcp_token (account_id, id);
CREATE INDEX mcp_token_api_token ON mcp_token (api_token_id);
CREATE INDEX mcp_token_expires ON mcp_token (expires_at);
