-- How a webhook's deliveries are signed, and since when it is disabled because it failed for a day.
ALTER TABLE webhook ADD COLUMN signature_format TEXT NOT NULL DEFAULT 'base64' CHECK (signature_format IN ('base64', 'hex'));
ALTER TABLE webhook ADD COLUMN disabled_at INTEGER;
UPDATE webhook SET disabled_at = updated_at WHERE is_active = 0 AND failing_since IS NOT NULL;

-- The last attempts at each webhook's deliveries: what was sent and what came back, as JSON without secrets.
CREATE TABLE delivery_attempt (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id TEXT NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
    webhook_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_attempt_delivery ON delivery_attempt (delivery_id, seq);
CREATE INDEX delivery_attempt_webhook ON delivery_attempt (webhook_id, seq);
CREATE INDEX delivery_attempt_at ON delivery_attempt (at);
