-- Workflows and their runs (contract section 10.4). Until now no workflow could be made.
ALTER TABLE workflow ADD COLUMN after_seq INTEGER NOT NULL DEFAULT 0; -- events up to this one don't start it
DROP TABLE workflow_run;
CREATE TABLE workflow_run (
  id TEXT PRIMARY KEY,
  workflow_id TEXT NOT NULL,
  event_seq INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  event TEXT NOT NULL,
  status TEXT NOT NULL,
  result TEXT NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (workflow_id, event_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX workflow_run_open ON workflow_run (event_seq, id) WHERE status IN ('created', 'running');
CREATE INDEX workflow_run_finished ON workflow_run (finished_at) WHERE finished_at IS NOT NULL;
