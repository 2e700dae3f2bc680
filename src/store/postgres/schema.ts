/**
 * The tables, by numbered steps that are never edited after a release.
 *
 * One hot table, small: a finished job leaves `job` for `archive` in the transaction that finishes it, so the hot indexes
 * stay the size of the live work. Every hot index is partial: claiming reads `job_ready` in its exact order and never meets
 * a job that waits or lies in the future.
 *
 * What a claim writes stands in no index, and pages are filled to 45 %, so that the new row lies beside the one it replaces and
 * no index hears of it (a HOT update). With the one scan of settle-sql.ts, 10,000 jobs cost the server 0.23 s instead of 0.37
 * (bench/, scenario d100-gone, 2 EPYC cores). That takes two things. The indexes do not know `state` but `line`, the state whose line a job stands in: a job of a
 * large claim keeps its entry in `job_ready`, and claims from the head step over it, until its lease is extended or it ends; of a
 * small claim, which is what jobs that run long are claimed by, it leaves the line at once, so that running jobs do not gather
 * there; nor does one that may expire stay. And leases are found by `millrace_lease`, one row a claim: see leases.ts.
 *
 * Where claims go on under load stands in `millrace_front`: see front.ts.
 *
 * Vacuum comes early, since every job leaves dead rows behind. Payloads are opaque bytes, above 2 KiB in a table of their own,
 * so that moving a job to the archive never rewrites them, and stored as they are: the codec has compressed them already. Text
 * compares as bytes (collation C): keys differ by case, and indexes by no locale.
 *
 * The archive is one plain table, not partitions by day, though dropping a day is nearly free. Each end (completed, failed,
 * cancelled) has a retention of its own, so partitions are by state, then by day: 41 with the defaults. A caller's own id is
 * looked up here at every insert, by one index instead of 41. With 1,000,000 rows on 2 EPYC cores that others used too
 * (`node bench/archive.ts`): the look 44 µs an id here, 114 there, on the producers' way; taking away a day of 138,000 jobs
 * with the vacuum after it 26 µs a job and 39 MB of WAL here, behind everybody's back, under 1 µs and 0.1 MB there; filling
 * the same. So a job costs less in all with the plain table, no role needs the right to make and drop tables while workers
 * run, nothing waits for the lock of a drop, and one index keeps an id unique. It is pruned in bounded chunks by age; since
 * jobs end in the order of age, a chunk empties whole pages, which vacuum gives back without touching the others.
 *
 * States are stored as their position in JOB_STATES. Instants are milliseconds since the epoch.
 */

/** Step n brings a store from version n to n + 1. */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE millrace_job (
  id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  run_at bigint NOT NULL,
  created_at bigint NOT NULL,
  version bigint NOT NULL,
  priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 100),
  state smallint NOT NULL CHECK (state BETWEEN 0 AND 4),
  left_in_line smallint NOT NULL DEFAULT 0,
  line smallint NOT NULL GENERATED ALWAYS AS (CASE WHEN state = 3 AND left_in_line = 1 THEN 2 ELSE state END) STORED,
  cancelling smallint NOT NULL DEFAULT 0,
  epoch integer NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  attempt_offset integer NOT NULL DEFAULT 0,
  losses integer NOT NULL DEFAULT 0,
  crashes integer NOT NULL DEFAULT 0,
  waiting_on integer NOT NULL DEFAULT 0,
  dependents integer NOT NULL DEFAULT 0,
  claimed_at bigint,
  lease_until bigint,
  started_at bigint,
  expires_at bigint,
  timeout_ms bigint,
  progress double precision,
  worker_id text COLLATE "C",
  reason text COLLATE "C",
  blocked_on text COLLATE "C",
  retry text COLLATE "C",
  tags text COLLATE "C",
  unique_scope text COLLATE "C",
  unique_key text COLLATE "C",
  progress_note bytea,
  payload bytea,
  error bytea,
  PRIMARY KEY (id) WITH (fillfactor = 70)
) WITH (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1, autovacuum_analyze_threshold = 5000);
ALTER TABLE millrace_job ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN error SET STORAGE EXTERNAL;
CREATE INDEX job_ready ON millrace_job (queue, priority DESC, run_at, id) WHERE line = 2;
CREATE INDEX job_due ON millrace_job (run_at) WHERE line IN (1, 4);
CREATE INDEX job_waiting ON millrace_job (queue, line) WHERE line <> 2 AND line <> 3;
CREATE INDEX job_expiry ON millrace_job (expires_at, id) WHERE expires_at IS NOT NULL AND line <> 3;
CREATE INDEX job_cancelling ON millrace_job (id) WHERE cancelling = 1;
CREATE INDEX job_key ON millrace_job (blocked_on) WHERE blocked_on IS NOT NULL;

CREATE TABLE millrace_lease (
  id uuid NOT NULL,
  until_at bigint NOT NULL,
  job_ids text[] COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE millrace_lease ALTER COLUMN job_ids SET STORAGE EXTERNAL;
CREATE INDEX lease_until ON millrace_lease (until_at);

CREATE TABLE millrace_front (
  queue text COLLATE "C" NOT NULL,
  names_hash text COLLATE "C" NOT NULL,
  until_at bigint NOT NULL,
  priority smallint NOT NULL,
  run_at bigint NOT NULL,
  after_id text COLLATE "C" NOT NULL,
  head_run_at bigint,
  head_id text COLLATE "C",
  queues text[] COLLATE "C",
  PRIMARY KEY (queue, names_hash)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE millrace_archive (
  id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  run_at bigint NOT NULL,
  created_at bigint NOT NULL,
  finished_at bigint NOT NULL,
  version bigint NOT NULL,
  priority smallint NOT NULL,
  state smallint NOT NULL CHECK (state BETWEEN 5 AND 7),
  epoch integer NOT NULL,
  attempts integer NOT NULL,
  attempt_offset integer NOT NULL,
  losses integer NOT NULL,
  crashes integer NOT NULL,
  started_at bigint,
  timeout_ms bigint,
  progress double precision,
  worker_id text COLLATE "C",
  reason text COLLATE "C",
  retry text COLLATE "C",
  tags text COLLATE "C",
  unique_scope text COLLATE "C",
  unique_key text COLLATE "C",
  progress_note bytea,
  payload bytea,
  result bytea,
  error bytea,
  PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1);
ALTER TABLE millrace_archive ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN result SET STORAGE EXTERNAL,
  ALTER COLUMN error SET STORAGE EXTERNAL;
CREATE INDEX archive_finished ON millrace_archive (queue, state, finished_at);
CREATE INDEX archive_failed ON millrace_archive (id) WHERE state = 6;
CREATE INDEX archive_cancelled ON millrace_archive (id) WHERE state = 7;

CREATE TABLE millrace_done (
  first_id text COLLATE "C" NOT NULL,
  last_id text COLLATE "C" NOT NULL,
  done_at bigint NOT NULL,
  ids text[] COLLATE "C"
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1);
ALTER TABLE millrace_done ALTER COLUMN ids SET STORAGE EXTERNAL;
CREATE INDEX done_ids ON millrace_done (last_id, first_id);
CREATE INDEX done_at ON millrace_done (done_at);

CREATE TABLE millrace_bytes (
  job_id text COLLATE "C" NOT NULL,
  field smallint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (job_id, field)
);
ALTER TABLE millrace_bytes ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE millrace_attempt (
  job_id text COLLATE "C" NOT NULL,
  epoch integer NOT NULL,
  attempt integer NOT NULL,
  started_at bigint NOT NULL,
  ended_at bigint NOT NULL,
  worker_id text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  error bytea,
  PRIMARY KEY (job_id, epoch)
);

CREATE TABLE millrace_log (
  job_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  attempt integer NOT NULL,
  level text COLLATE "C" NOT NULL,
  message bytea NOT NULL,
  PRIMARY KEY (job_id, seq)
);

CREATE TABLE millrace_edge (
  parent_id text COLLATE "C" NOT NULL,
  child_id text COLLATE "C" NOT NULL,
  policy text COLLATE "C" NOT NULL,
  PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX edge_child ON millrace_edge (child_id);

CREATE TABLE millrace_unique (
  key_hash text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  unique_key text COLLATE "C" NOT NULL,
  job_id text COLLATE "C" NOT NULL,
  until_at bigint,
  PRIMARY KEY (key_hash)
);
CREATE INDEX unique_job ON millrace_unique (job_id);
CREATE INDEX unique_until ON millrace_unique (until_at) WHERE until_at IS NOT NULL;

CREATE TABLE millrace_queue (
  name text COLLATE "C" NOT NULL,
  paused_at bigint,
  paused_by text COLLATE "C",
  pause_reason text COLLATE "C",
  PRIMARY KEY (name)
);

CREATE TABLE millrace_state (
  state_key text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (state_key)
);

CREATE TABLE millrace_node (
  id text COLLATE "C" NOT NULL,
  host text COLLATE "C" NOT NULL,
  pid bigint NOT NULL,
  version text COLLATE "C" NOT NULL,
  names text COLLATE "C" NOT NULL,
  queues text COLLATE "C",
  concurrency bigint NOT NULL,
  running bigint NOT NULL,
  started_at bigint NOT NULL,
  seen_at bigint NOT NULL,
  PRIMARY KEY (id)
);
`,
  `
ALTER TABLE millrace_node ADD COLUMN node_id text COLLATE "C", ADD COLUMN status text COLLATE "C",
  ADD COLUMN health text COLLATE "C";
`,
  `
CREATE TABLE millrace_message (
  seq bigint GENERATED ALWAYS AS IDENTITY,
  posted_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  recipient text COLLATE "C" NOT NULL,
  verb text COLLATE "C" NOT NULL,
  posted_by text COLLATE "C" NOT NULL,
  PRIMARY KEY (seq)
);
CREATE INDEX message_to ON millrace_message (recipient, seq);
CREATE INDEX message_expiry ON millrace_message (expires_at);
`,
]

/** For each version from 1: the oldest one that a program may know and still work on a store of it. */
export const OLDEST: readonly number[] = [1, 1, 1]

/** Where the version lives; made before the first step. */
export const VERSION_TABLE =
  'CREATE TABLE IF NOT EXISTS millrace_schema ' +
  '(version integer NOT NULL PRIMARY KEY, applied_at bigint NOT NULL, oldest integer NOT NULL)'
