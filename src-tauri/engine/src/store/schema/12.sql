-- Texts about integrations and their methods (contract section 4.1), for people and agents.
CREATE TABLE documentation (
    id TEXT PRIMARY KEY,
    entity_type TEXT NOT NULL CHECK (entity_type IN ('integration', 'environment_integration')),
    entity_id TEXT NOT NULL,
    document TEXT NOT NULL,           -- its type and content, and what of the entity it is about
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX documentation_entity ON documentation (entity_id, id);

-- The rows of definitions' files, in their order.
INSERT INTO documentation
    SELECT substr(printf('%012x', i.created_at), 1, 8) || '-' || substr(printf('%012x', i.created_at), 9, 4)
             || printf('-7%03x-8', row.key & 4095) || lower(substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
           'integration', i.id, row.value, i.created_at, i.updated_at
    FROM integration i, json_each(i.document, '$.documentation') row
    WHERE row.type = 'object' AND json_type(row.value, '$.type') = 'text';
-- A schema of a file may be an object; as a text it is YAML.
UPDATE documentation SET document = json_set(document, '$.content', (document -> '$.content') || '')
    WHERE json_type(document, '$.content') = 'object';
UPDATE integration SET document = json_remove(document, '$.documentation')
    WHERE json_type(document, '$.documentation') IS NOT NULL;
