-- The revocation of a deleted account's tokens that is still to be done, as JSON without secrets. The item is kept until then.
ALTER TABLE orphan_item ADD COLUMN revocation TEXT;
