-- Times are milliseconds after 1970-01-01T00:00:00Z. Ids are UUIDs as text. Documents are JSON. No secret is in here.

CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE integration (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    built_in INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,           -- the definition, its client secrets blanked
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE environment_integration (
    id TEXT PRIMARY KEY,
    integration_id TEXT NOT NULL UNIQUE REFERENCES integration (id),
    is_enabled INTEGER NOT NULL,
    show_in_catalog INTEGER NOT NULL,
    override TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE integrated_account (
    id TEXT PRIMARY KEY,
    environment_integration_id TEXT NOT NULL REFERENCES environment_integration (id),
    tenant_id TEXT NOT NULL,
    document TEXT NOT NULL,           -- the account's state machine: the authority; the columns below are for finding it
    status TEXT NOT NULL,
    due_at INTEGER,
    due_check INTEGER NOT NULL,
    open INTEGER NOT NULL,            -- a refresh or replacement is open: the crash recovery looks here
    last_used_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX integrated_account_due ON integrated_account (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX integrated_account_open ON integrated_account (open) WHERE open = 1;
CREATE INDEX integrated_account_integration ON integrated_account (environment_integration_id);

-- Keychain items that belong to nothing (yet, or any more): swept when the keychain can be written.
CREATE TABLE stray_item (key TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE timeline (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT,                  -- NULL: nobody's; an account's entries outlive it
    at INTEGER NOT NULL,
    moment TEXT NOT NULL
) STRICT;
CREATE INDEX timeline_account ON timeline (account_id, seq);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    subject TEXT,                     -- the account (or other thing) whose events keep their order
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    target_url TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    event_types TEXT,                 -- NULL: all
    allow_private INTEGER NOT NULL,   -- the person's consent to a private address
    failing_since INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    outbox_seq INTEGER NOT NULL REFERENCES outbox (seq),
    subject TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'parked')),
    tries INTEGER NOT NULL,
    next_try INTEGER NOT NULL,
    last_status INTEGER,
    last_error TEXT,
    updated_at INTEGER NOT NULL,
    UNIQUE (webhook_id, outbox_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_pending ON delivery (webhook_id, subject, outbox_seq) WHERE state = 'pending';

CREATE TABLE link_token (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    account_id TEXT,
    document TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE api_token (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;
