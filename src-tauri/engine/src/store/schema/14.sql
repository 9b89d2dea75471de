-- When the person revoked a link.
ALTER TABLE link_token ADD COLUMN revoked_at INTEGER;
