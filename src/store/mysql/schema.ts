/**
 * The tables, by numbered steps that are never edited after a release. Each statement may be run again: a step that was
 * interrupted is taken up where it stopped, since no transaction spans the making of tables here.
 *
 * The job table holds what lives; a finished job leaves it for `archive` in the transaction that finishes it. What waits has
 * a row in `ready`, clustered in the order of claims: (state, queue, priority from above, run time, id). A claim reads it
 * from its front, and never meets a job that runs. There are no partial indexes, so the job table has one index for all that
 * is looked up by an instant or a mark, over `phase` and `due_at`, which the server computes: phase 1 waits for its run
 * time, 3 runs until its lease ends, 4 runs and is asked to stop, 5 is blocked for a key (`due_at` is the key's hash); 0 is
 * everything else. A row is made as long as a claim makes it (`room`), since one that grows has to move, and splits its page:
 * that was half of what a claim cost. Payloads above 2 KiB live in a table of their own, so that moving a job to the archive never rewrites them.
 *
 * Text that is compared is VARBINARY: byte by byte, nothing folded, no space at the end passed over, whatever collations the
 * server knows. Other text is utf8mb4. A queue's name may be longer than an index takes, hence `queue_key`.
 *
 * States are stored as their position in JOB_STATES. Instants are milliseconds since the epoch.
 */

const OPTIONS = 'ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
const TEXT = 'LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
const QUEUE_KEY =
  'queue_key VARBINARY(190) AS (IF(OCTET_LENGTH(queue) <= 190, queue, CONCAT(0x23, SHA2(queue, 256)))) STORED'

// As long as what a claim adds to a row: a worker's id of 36 characters, and two instants.
const ROOM = '-'.repeat(52)

/** Step n brings a store from version n to n + 1. */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE IF NOT EXISTS millrace_job (
  id VARBINARY(255) NOT NULL,
  name VARBINARY(16000) NOT NULL,
  queue VARBINARY(16000) NOT NULL,
  ${QUEUE_KEY},
  run_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  priority TINYINT NOT NULL CHECK (priority BETWEEN 0 AND 100),
  state TINYINT NOT NULL CHECK (state BETWEEN 0 AND 4),
  cancelling TINYINT NOT NULL DEFAULT 0,
  epoch INT NOT NULL DEFAULT 0,
  attempts INT NOT NULL DEFAULT 0,
  attempt_offset INT NOT NULL DEFAULT 0,
  losses INT NOT NULL DEFAULT 0,
  crashes INT NOT NULL DEFAULT 0,
  waiting_on INT NOT NULL DEFAULT 0,
  dependents INT NOT NULL DEFAULT 0,
  claimed_at BIGINT,
  lease_until BIGINT,
  started_at BIGINT,
  expires_at BIGINT,
  timeout_ms BIGINT,
  progress DOUBLE,
  worker_id VARBINARY(2000),
  reason VARBINARY(64),
  blocked_on VARBINARY(2000),
  phase TINYINT AS (CASE state WHEN 1 THEN 1 WHEN 4 THEN 1 WHEN 3 THEN IF(cancelling = 1, 4, 3)
    WHEN 0 THEN IF(blocked_on IS NULL, 0, 5) ELSE 0 END) STORED,
  due_at BIGINT AS (CASE state WHEN 1 THEN run_at WHEN 4 THEN run_at WHEN 3 THEN lease_until
    WHEN 0 THEN IF(blocked_on IS NULL, 0, CRC32(blocked_on)) ELSE 0 END) STORED,
  retry ${TEXT},
  tags ${TEXT},
  unique_scope ${TEXT},
  unique_key ${TEXT},
  progress_note LONGBLOB,
  payload LONGBLOB,
  error LONGBLOB,
  room VARBINARY(64) DEFAULT '${ROOM}',
  PRIMARY KEY (id),
  KEY job_due (phase, due_at),
  KEY job_expiry (expires_at)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_ready (
  state TINYINT NOT NULL,
  queue_key VARBINARY(190) NOT NULL,
  place TINYINT NOT NULL,
  run_at BIGINT NOT NULL,
  id VARBINARY(255) NOT NULL,
  name VARBINARY(16000) NOT NULL,
  expires_at BIGINT,
  PRIMARY KEY (state, queue_key, place, run_at, id)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_archive (
  id VARBINARY(255) NOT NULL,
  name VARBINARY(16000) NOT NULL,
  queue VARBINARY(16000) NOT NULL,
  ${QUEUE_KEY},
  run_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  finished_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  priority TINYINT NOT NULL,
  state TINYINT NOT NULL CHECK (state BETWEEN 5 AND 7),
  epoch INT NOT NULL,
  attempts INT NOT NULL,
  attempt_offset INT NOT NULL,
  losses INT NOT NULL,
  crashes INT NOT NULL,
  started_at BIGINT,
  timeout_ms BIGINT,
  progress DOUBLE,
  worker_id VARBINARY(2000),
  reason VARBINARY(64),
  retry ${TEXT},
  tags ${TEXT},
  unique_scope ${TEXT},
  unique_key ${TEXT},
  progress_note LONGBLOB,
  payload LONGBLOB,
  result LONGBLOB,
  error LONGBLOB,
  PRIMARY KEY (id),
  KEY archive_finished (queue_key, state, finished_at),
  KEY archive_state (state)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_done (
  seq BIGINT NOT NULL AUTO_INCREMENT,
  bucket VARBINARY(40) NOT NULL,
  last_id VARBINARY(255) NOT NULL,
  first_id VARBINARY(255) NOT NULL,
  done_at BIGINT NOT NULL,
  ids LONGBLOB,
  PRIMARY KEY (seq),
  KEY done_ids (bucket, last_id, first_id),
  KEY done_at (done_at)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_bytes (
  job_id VARBINARY(255) NOT NULL,
  field TINYINT NOT NULL,
  data LONGBLOB NOT NULL,
  PRIMARY KEY (job_id, field)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_attempt (
  job_id VARBINARY(255) NOT NULL,
  epoch INT NOT NULL,
  attempt INT NOT NULL,
  started_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  worker_id VARBINARY(2000) NOT NULL,
  outcome VARBINARY(64) NOT NULL,
  error LONGBLOB,
  PRIMARY KEY (job_id, epoch)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_log (
  job_id VARBINARY(255) NOT NULL,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  attempt INT NOT NULL,
  level VARBINARY(64) NOT NULL,
  message LONGBLOB NOT NULL,
  PRIMARY KEY (job_id, seq)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_edge (
  parent_id VARBINARY(255) NOT NULL,
  child_id VARBINARY(255) NOT NULL,
  policy VARBINARY(64) NOT NULL,
  PRIMARY KEY (parent_id, child_id),
  KEY edge_child (child_id)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_unique (
  key_hash VARBINARY(64) NOT NULL,
  scope ${TEXT} NOT NULL,
  unique_key ${TEXT} NOT NULL,
  job_id VARBINARY(255) NOT NULL,
  until_at BIGINT,
  PRIMARY KEY (key_hash),
  KEY unique_job (job_id),
  KEY unique_until (until_at)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_queue (
  name VARBINARY(3000) NOT NULL,
  paused_at BIGINT,
  paused_by ${TEXT},
  pause_reason ${TEXT},
  PRIMARY KEY (name)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_state (
  state_key VARBINARY(3000) NOT NULL,
  value ${TEXT} NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (state_key)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_node (
  id VARBINARY(2000) NOT NULL,
  host ${TEXT} NOT NULL,
  pid BIGINT NOT NULL,
  version ${TEXT} NOT NULL,
  names ${TEXT} NOT NULL,
  queues ${TEXT},
  concurrency BIGINT NOT NULL,
  running BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (id)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS millrace_signal (
  id TINYINT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (id)
) ${OPTIONS}`,
    'INSERT INTO millrace_signal (id, count) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = 1',
  ],
  [
    'ALTER TABLE millrace_node ADD COLUMN node_id VARBINARY(2000)',
    'ALTER TABLE millrace_node ADD COLUMN status VARBINARY(64)',
    `ALTER TABLE millrace_node ADD COLUMN health ${TEXT}`,
  ],
  [
    `CREATE TABLE IF NOT EXISTS millrace_message (
  seq BIGINT NOT NULL AUTO_INCREMENT,
  posted_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  recipient VARBINARY(2000) NOT NULL,
  verb VARBINARY(64) NOT NULL,
  posted_by ${TEXT} NOT NULL,
  PRIMARY KEY (seq),
  KEY message_to (recipient, seq),
  KEY message_expiry (expires_at)
) ${OPTIONS}`,
  ],
  [
    `CREATE TABLE IF NOT EXISTS millrace_notice (
  seq BIGINT NOT NULL AUTO_INCREMENT,
  given_at BIGINT NOT NULL,
  PRIMARY KEY (seq)
) ${OPTIONS}`,
  ],
]

/** For each version from 1: the oldest one that a program may know and still work on a store of it. */
export const OLDEST: readonly number[] = [1, 1, 1, 1]

/** Where the version lives; made before the first step. */
export const VERSION_TABLE =
  'CREATE TABLE IF NOT EXISTS millrace_schema ' +
  '(version INT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL, oldest INT NOT NULL) ENGINE=InnoDB'
