-- Sync jobs, their runs, and what makes a run durable (contract section 9).
CREATE TABLE sync_job (
  id TEXT PRIMARY KEY,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sync_job_template (
  id TEXT PRIMARY KEY,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sync_job_cron_trigger (
  id TEXT PRIMARY KEY,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  planned_at INTEGER                -- the next occurrence; NULL: it isn't scheduled
) STRICT, WITHOUT ROWID;
CREATE TABLE workflow (
  id TEXT PRIMARY KEY,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE workflow_run (
  id TEXT PRIMARY KEY,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE datastore (
  id TEXT PRIMARY KEY,
  document TEXT NOT NULL,           -- without its secrets
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_job_run (
  id TEXT PRIMARY KEY,
  sync_job_id TEXT NOT NULL,
  account_id TEXT,
  trigger_id TEXT,
  status TEXT NOT NULL,
  spec TEXT NOT NULL,               -- what it was made with; never changes
  stats TEXT NOT NULL,
  wait_until INTEGER,               -- a provider or a destination asked for it
  waits_for_account TEXT,           -- the account that needs its person
  started_at INTEGER,
  finished_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sync_job_run_open ON sync_job_run (created_at, id) WHERE status IN ('created', 'running', 'rate_limited');
CREATE INDEX sync_job_run_job ON sync_job_run (sync_job_id, account_id, status, started_at);
CREATE INDEX sync_job_run_finished ON sync_job_run (finished_at) WHERE finished_at IS NOT NULL;

-- Where a run is. It goes when the run is over.
CREATE TABLE sync_run_head (
  run_id TEXT PRIMARY KEY REFERENCES sync_job_run (id) ON DELETE CASCADE,
  head TEXT NOT NULL,
  next_task INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sync_run_task (
  run_id TEXT NOT NULL REFERENCES sync_job_run (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,        -- in the stack, from the bottom
  task TEXT NOT NULL,
  PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;
-- Apart from the task, which may be long: it is what changes with each page.
CREATE TABLE sync_run_place (
  run_id TEXT NOT NULL REFERENCES sync_job_run (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  place TEXT NOT NULL,
  PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE sync_run_spool (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES sync_job_run (id) ON DELETE CASCADE,
  spool INTEGER NOT NULL,
  records TEXT NOT NULL
) STRICT;
CREATE INDEX sync_run_spool_run ON sync_run_spool (run_id, spool, seq);
-- Errors that are sent together at the end.
CREATE TABLE sync_run_error (
  seq INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES sync_job_run (id) ON DELETE CASCADE,
  error TEXT NOT NULL
) STRICT;
CREATE INDEX sync_run_error_run ON sync_run_error (run_id, seq);

CREATE TABLE sync_job_run_state (
  state_key TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  run_id TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (state_key, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_run_log (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL REFERENCES sync_job_run (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  level TEXT NOT NULL,
  node TEXT,
  message TEXT NOT NULL
) STRICT;
CREATE INDEX sync_run_log_run ON sync_run_log (run_id, seq);
CREATE INDEX sync_run_log_at ON sync_run_log (at);
