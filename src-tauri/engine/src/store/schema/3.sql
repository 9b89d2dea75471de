-- Names of the field in place of the first version's own.
ALTER TABLE timeline RENAME COLUMN moment TO event;
ALTER TABLE stray_item RENAME TO orphan_item;

-- Who caused an entry, as JSON; NULL: before this version, or nobody that is known.
ALTER TABLE timeline ADD COLUMN caller TEXT;

-- The version of the rules that the definition was checked by; 0: before this version.
ALTER TABLE integration ADD COLUMN checker_version INTEGER NOT NULL DEFAULT 0;

-- For lists of accounts. Each ends with the primary key, in whose order accounts are listed.
CREATE INDEX integrated_account_tenant ON integrated_account (tenant_id);
CREATE INDEX integrated_account_status ON integrated_account (status);
CREATE INDEX integrated_account_used ON integrated_account (last_used_at) WHERE last_used_at IS NOT NULL;

-- A delivery that used up its tries has failed. Of one webhook's pending deliveries of one subject, the oldest one alone is
-- eligible: the others wait for it.
CREATE TABLE new_delivery (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    outbox_seq INTEGER NOT NULL REFERENCES outbox (seq),
    subject TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    eligible INTEGER NOT NULL CHECK (eligible = 0 OR state = 'pending'),
    tries INTEGER NOT NULL,
    next_try INTEGER NOT NULL,
    last_status INTEGER,
    last_error TEXT,
    updated_at INTEGER NOT NULL,
    UNIQUE (webhook_id, outbox_seq)
) STRICT, WITHOUT ROWID;
INSERT INTO new_delivery
    SELECT id, webhook_id, outbox_seq, subject, replace(state, 'parked', 'failed'),
           state = 'pending' AND outbox_seq = min(CASE state WHEN 'pending' THEN outbox_seq END)
               OVER (PARTITION BY webhook_id, subject),
           tries, next_try, last_status, last_error, updated_at
    FROM delivery;
DROP TABLE delivery;
ALTER TABLE new_delivery RENAME TO delivery;
CREATE INDEX delivery_pending ON delivery (webhook_id, subject, outbox_seq) WHERE state = 'pending';
CREATE UNIQUE INDEX delivery_eligible ON delivery (webhook_id, subject) WHERE eligible = 1;
CREATE INDEX delivery_due ON delivery (webhook_id, next_try, outbox_seq) WHERE eligible = 1;
CREATE INDEX delivery_outbox ON delivery (outbox_seq);
