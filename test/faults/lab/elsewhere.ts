/** Faults that other tests bring about: the command runs their long forms. Each of their files counts what it did: test/support/tally.ts. */
import type { StoreKind } from '../../support/tables.ts'

/** Tests that stand for a fault. */
export interface Elsewhere {
  readonly name: string
  readonly fault: string
  readonly summary: string
  readonly stores: readonly StoreKind[]
  readonly files: readonly string[]
  /** Further files, whose tests are all of that store and are run on it alone. */
  readonly filesOf?: Readonly<Partial<Record<StoreKind, readonly string[]>>>
  /** Which of their tests, where not all. */
  readonly only?: string
}

const SERVERS: readonly StoreKind[] = ['postgres', 'mysql']

/** All of them, in the order of the catalogue. */
export const ELSEWHERE: readonly Elsewhere[] = [
  {
    name: 'crash',
    fault: 'F-02',
    summary: 'a process is killed before each statement of a life of jobs, on a server also right after each was sent',
    stores: ['sqlite', ...SERVERS],
    files: ['test/crash/crash.test.ts'],
  },
  {
    name: 'restart',
    fault: 'F-12',
    summary: 'the server is stopped fast, at once and by SIGKILL under load',
    stores: SERVERS,
    files: ['test/outage/outage.test.ts'],
    only: 'the server stopped fast',
  },
  {
    name: 'down',
    fault: 'F-13',
    summary: 'thousands of enqueues while the server is away',
    stores: SERVERS,
    files: ['test/outage/outage.test.ts'],
    only: 'while the server is down',
  },
  {
    name: 'cut',
    fault: 'F-14',
    summary: 'the connection is cut after every n-th byte, each way',
    stores: SERVERS,
    files: ['test/net/cut.test.ts'],
  },
  {
    name: 'silence',
    fault: 'F-15',
    summary: 'the network swallows everything for 1, 3 and 30 leases: by a proxy, and as the kernel does it',
    stores: SERVERS,
    files: ['test/net/silence.test.ts', 'test/net/blackhole.test.ts'],
  },
  {
    name: 'weather',
    fault: 'F-16',
    summary: 'a way to the server that is late, uneven, dripping, or ends connections rudely',
    stores: SERVERS,
    files: ['test/net/weather.test.ts'],
  },
  {
    name: 'pool',
    fault: 'F-18',
    summary: 'fifty handlers on two connections, each in a transaction of the app for 30 s',
    stores: SERVERS,
    files: ['test/net/pool.test.ts'],
  },
  {
    name: 'leak',
    fault: 'F-18',
    summary: 'handlers leak connections until the server takes no more',
    stores: SERVERS,
    files: ['test/outage/outage.test.ts'],
    only: 'handlers leak',
  },
  {
    name: 'sessions',
    fault: 'F-19',
    summary: 'the server ends a session at random, ten a second',
    stores: SERVERS,
    files: ['test/net/sessions.test.ts'],
  },
  {
    name: 'storm',
    fault: 'F-20',
    summary: 'other default isolation levels, and rows locked by somebody else at random',
    stores: SERVERS,
    files: ['test/outage/outage.test.ts'],
    only: 'locked by others now and then',
  },
  {
    name: 'read-only',
    fault: 'F-21',
    summary: 'the server takes no writes for a while, for all sessions or for new ones',
    stores: SERVERS,
    files: ['test/outage/outage.test.ts'],
    only: '(?:takes no writes|stay read-only)',
  },
  {
    name: 'failover',
    fault: 'F-21',
    summary: 'the server dies, and the address leads to a replica that becomes the new one',
    stores: SERVERS,
    files: ['test/outage/failover.test.ts'],
  },
  {
    name: 'pooler',
    fault: 'F-22',
    summary: 'the whole suite as worker through PgBouncer in transaction mode',
    stores: ['postgres'],
    files: ['src/store/postgres/pgbouncer.test.ts'],
  },
  {
    name: 'full',
    fault: 'F-26',
    summary: 'a full disk, by a limit of SQLite and in truth, also during a migration and a checkpoint',
    stores: ['sqlite'],
    files: [
      'test/faults/full.test.ts',
      'test/faults/full-disk.test.ts',
      'test/faults/full-migration.test.ts',
      'test/faults/full-checkpoint.test.ts',
    ],
  },
  {
    name: 'file',
    fault: 'F-28',
    summary: 'the file is deleted, replaced, damaged or may not be written to or opened',
    stores: ['sqlite'],
    files: [
      'test/faults/file.test.ts',
      'test/faults/file-worker.test.ts',
      'test/faults/read-only.test.ts',
      'test/faults/forbidden.test.ts',
    ],
  },
  {
    name: 'tamper',
    fault: 'F-30',
    summary: 'every bit of an envelope flipped, cut to every length, put elsewhere',
    stores: ['sqlite'],
    files: ['src/codec/tamper.test.ts', 'test/codec/worker.test.ts'],
  },
  {
    name: 'bombs',
    fault: 'F-32',
    summary: 'what would decompress to far more than it may',
    stores: ['sqlite'],
    files: ['src/codec/compress.test.ts', 'src/codec/codec.test.ts'],
  },
  {
    name: 'payloads',
    fault: 'F-33',
    summary: 'payloads that are large, many, deep, odd or not JSON',
    stores: ['sqlite', ...SERVERS],
    files: ['test/faults/payloads.test.ts', 'test/faults/payloads-edge.test.ts', 'test/faults/payloads-many.test.ts'],
    filesOf: {
      sqlite: ['src/codec/json.test.ts', 'test/codec/requirements.test.ts'],
      mysql: ['test/faults/payloads-packet.test.ts'],
    },
  },
  {
    name: 'rows',
    fault: 'F-34',
    summary: 'rows that no Millrace wrote',
    stores: ['sqlite', ...SERVERS],
    files: ['test/faults/rows.test.ts', 'test/faults/rows-doctor.test.ts'],
    filesOf: { sqlite: ['src/store/sqlite/hostile-rows.test.ts'], mysql: ['test/store/mysql-damaged.test.ts'] },
  },
]
