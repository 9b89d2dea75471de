-- Names of the field in place of the first version's own.
ALTER TABLE timeline RENAME COLUMN moment TO event;
ALTER TABLE stray_item RENAME TO orphan_item;
