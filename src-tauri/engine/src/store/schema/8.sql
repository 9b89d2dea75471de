-- Calls that programs made through Relink: each account's last ones, as JSON without secrets.
CREATE TABLE call (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL REFERENCES integrated_account (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX call_account ON call (account_id, seq);
CREATE INDEX call_at ON call (at, seq);

-- How many there were, by account, day (in UTC, since 1970-01-01) and program.
CREATE TABLE call_usage (
    account_id TEXT NOT NULL REFERENCES integrated_account (id) ON DELETE CASCADE,
    day INTEGER NOT NULL,
    api_token_id TEXT NOT NULL,       -- empty: the person
    name TEXT NOT NULL,               -- the program's latest
    calls INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    latency TEXT NOT NULL,            -- a histogram, as JSON
    last_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, day, api_token_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_usage_day ON call_usage (day);
