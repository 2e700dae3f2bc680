/**
 * The tables, by numbered steps that are never edited after a release.
 *
 * One hot table, small: a finished job leaves `millrace_job` for `millrace_archive` in the transaction that finishes it,
 * so the hot indexes stay the size of the live work. Every hot index is partial: claiming reads `ready` in its exact
 * order for each name that it handles, and never meets a job that runs, waits, lies in the future or is nobody's here. What counts the jobs of a queue reads `ready`,
 * `waiting` and, for the few that run, `lease`, so that a job that is claimed and done at once pays for two of them only.
 * No index says `state IN (…)` with three values or more: SQLite makes a table of them for each row that it writes (4 µs a
 * job on 2 EPYC cores, a sixth of all that a job costs). Bytes above 2 KiB live in `millrace_bytes`, so that
 * an update never rewrites a large row. Attempts that did not complete have rows of their own; a job that completes at
 * its first attempt writes none (its archive row says all).
 *
 * States are stored as their position in JOB_STATES: blocked 0, scheduled 1, pending 2, processing 3, retrying 4,
 * completed 5, failed 6, cancelled 7. Instants are milliseconds since the epoch.
 */

/** Step n brings a store from version n to n + 1. */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE millrace_job (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  queue TEXT NOT NULL,
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 100),
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
  reason TEXT,
  blocked_on TEXT,
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  expires_at INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  attempt_offset INTEGER NOT NULL DEFAULT 0,
  losses INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0,
  worker_id TEXT,
  claimed_at INTEGER,
  lease_until INTEGER,
  started_at INTEGER,
  cancelling INTEGER NOT NULL DEFAULT 0,
  progress REAL,
  progress_note BLOB,
  timeout_ms INTEGER,
  retry TEXT,
  tags TEXT,
  unique_scope TEXT,
  unique_key TEXT,
  waiting_on INTEGER NOT NULL DEFAULT 0,
  dependents INTEGER NOT NULL DEFAULT 0,
  payload BLOB,
  error BLOB
) STRICT;
CREATE INDEX millrace_job_ready ON millrace_job (queue, name, priority DESC, run_at, id, expires_at) WHERE state = 2;
CREATE INDEX millrace_job_due ON millrace_job (run_at) WHERE state IN (1, 4);
CREATE INDEX millrace_job_lease ON millrace_job (lease_until, queue) WHERE state = 3;
CREATE INDEX millrace_job_waiting ON millrace_job (queue, state) WHERE state <> 2 AND state <> 3;
CREATE INDEX millrace_job_expiry ON millrace_job (expires_at) WHERE expires_at IS NOT NULL AND state <> 3;
CREATE INDEX millrace_job_cancelling ON millrace_job (worker_id) WHERE cancelling = 1;
CREATE INDEX millrace_job_key ON millrace_job (blocked_on) WHERE blocked_on IS NOT NULL;

CREATE TABLE millrace_archive (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  queue TEXT NOT NULL,
  priority INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 5 AND 7),
  reason TEXT,
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  attempt_offset INTEGER NOT NULL,
  losses INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  worker_id TEXT,
  started_at INTEGER,
  finished_at INTEGER NOT NULL,
  progress REAL,
  progress_note BLOB,
  timeout_ms INTEGER,
  retry TEXT,
  tags TEXT,
  unique_scope TEXT,
  unique_key TEXT,
  payload BLOB,
  result BLOB,
  error BLOB
) STRICT;
CREATE INDEX millrace_archive_finished ON millrace_archive (queue, state, finished_at);
CREATE INDEX millrace_archive_ended_badly ON millrace_archive (state, id) WHERE state IN (6, 7);

CREATE TABLE millrace_done (
  id TEXT PRIMARY KEY NOT NULL,
  done_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX millrace_done_at ON millrace_done (done_at);

CREATE TABLE millrace_bytes (
  job_id TEXT NOT NULL,
  field INTEGER NOT NULL,
  data BLOB NOT NULL,
  UNIQUE (job_id, field)
) STRICT;

CREATE TABLE millrace_attempt (
  job_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  worker_id TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  error BLOB,
  PRIMARY KEY (job_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_log (
  job_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  level TEXT NOT NULL,
  message BLOB NOT NULL,
  PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_edge (
  parent_id TEXT NOT NULL,
  child_id TEXT NOT NULL,
  policy TEXT NOT NULL,
  PRIMARY KEY (parent_id, child_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX millrace_edge_child ON millrace_edge (child_id);

CREATE TABLE millrace_unique (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  job_id TEXT NOT NULL,
  until INTEGER,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX millrace_unique_until ON millrace_unique (until) WHERE until IS NOT NULL;

CREATE TABLE millrace_queue (
  name TEXT PRIMARY KEY NOT NULL,
  paused_at INTEGER,
  paused_by TEXT,
  pause_reason TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_state (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_node (
  id TEXT PRIMARY KEY NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  version TEXT NOT NULL,
  names TEXT NOT NULL,
  queues TEXT,
  concurrency INTEGER NOT NULL,
  running INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
  `
ALTER TABLE millrace_node ADD COLUMN node_id TEXT;
ALTER TABLE millrace_node ADD COLUMN status TEXT;
ALTER TABLE millrace_node ADD COLUMN health TEXT;
`,
  `
CREATE TABLE millrace_message (
  seq INTEGER PRIMARY KEY,
  recipient TEXT NOT NULL,
  verb TEXT NOT NULL,
  posted_by TEXT NOT NULL,
  posted_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX millrace_message_to ON millrace_message (recipient, seq);
CREATE INDEX millrace_message_expiry ON millrace_message (expires_at);
`,
]

/** For each version from 1: the oldest one that a program may know and still work on a store of it. */
export const OLDEST: readonly number[] = [1, 1, 1]

/** Where the version lives; made before the first step. */
export const VERSION_TABLE =
  'CREATE TABLE IF NOT EXISTS millrace_schema ' +
  '(version INTEGER NOT NULL PRIMARY KEY, applied_at INTEGER NOT NULL, oldest INTEGER NOT NULL) STRICT'
