import { expect, test } from 'vitest'
import { healthOfNode, healthOfWorker } from './health.ts'
import type { NodeHandle, WorkerProcessView } from './node-handle.ts'
import type { WorkerHandle, WorkerView } from './worker-handle.ts'

const WORKER: WorkerView = {
  running: 1,
  jobsDone: 2,
  isPaused: false,
  isStopping: false,
  isolateBytes: 0,
  isolateLeftBytes: 0,
  storeAnsweredMs: 240,
  isStoreReadOnly: false,
  late: [],
}
const PROCESS: WorkerProcessView = {
  seat: 1,
  workerId: 'w',
  pid: 5,
  state: 'working',
  isStalled: false,
  upMs: 1,
  running: 1,
  jobsDone: 2,
  rssBytes: 1,
  loopDelayP99Ms: 1,
  storeAnsweredMs: 0,
  isStoreReadOnly: false,
  late: [],
}

// A report looks at these alone.
const worker = (view: Partial<WorkerView>) => ({ view: { ...WORKER, ...view } }) as WorkerHandle
const node = (
  more: Partial<Pick<NodeHandle, 'late' | 'isStopping'>>,
  ...workers: readonly Partial<WorkerProcessView>[]
) =>
  ({
    late: [],
    isStopping: false,
    ...more,
    workers: workers.map((each) => ({ ...PROCESS, ...each })),
  }) as unknown as NodeHandle

test.each<
  readonly [what: string, view: Partial<WorkerView>, isLive: boolean, isReady: boolean, wrong: string | undefined]
>([
  ['at work', {}, true, true, undefined],
  ['paused on request', { isPaused: true }, true, true, undefined],
  ['with a late loop', { late: [['promote', 41_000]] }, false, false, 'the loop promote is late by 41 s'],
  ['whose store is silent', { storeAnsweredMs: 30_000 }, true, false, 'it answered 30 s ago'],
  ['whose store refused a write just now', { storeAnsweredMs: 4_000, isStoreReadOnly: true }, true, true, undefined],
  [
    'whose store takes no writes',
    { storeAnsweredMs: 31_200, isStoreReadOnly: true },
    true,
    false,
    'it has taken no writes for 31.2 s (STORE_READ_ONLY)',
  ],
  ['that stops', { isStopping: true }, true, false, 'it is stopping'],
])('a worker %s', (_, view, isLive, isReady, wrong) => {
  const report = healthOfWorker(worker(view))

  expect(report).toMatchObject({ isLive, isReady })
  expect(report.checks.filter(({ isOk }) => !isOk).map(({ detail }) => detail)).toEqual(
    wrong === undefined ? [] : [wrong],
  )
})

test.each<readonly [what: string, of: NodeHandle, isLive: boolean, isReady: boolean, wrong: readonly string[]]>([
  ['with one of two at work', node({}, {}, { state: 'starting' }), true, true, ['it is starting']],
  ['whose workers all start', node({}, { state: 'starting' }), true, false, ['it is starting']],
  ['between an end and the next start', node({}), true, false, []],
  [
    'whose one worker is stalled',
    node({}, { isStalled: true }),
    true,
    false,
    ['its event loop is blocked: nothing is heard of it'],
  ],
  [
    'whose worker has a late loop',
    node({}, { late: [['reclaim', 12_000]] }),
    true,
    false,
    ['the loop reclaim is late by 12 s'],
  ],
  ['whose workers reach no store', node({}, { storeAnsweredMs: 45_040 }), true, false, ['it answered 45 s ago']],
  [
    'whose store takes no writes',
    node({}, { storeAnsweredMs: 31_200, isStoreReadOnly: true }),
    true,
    false,
    ['it has taken no writes for 31.2 s (STORE_READ_ONLY)'],
  ],
  ['that stops', node({ isStopping: true }, {}), true, false, []],
  ['that is late itself', node({ late: [['watch', 31_000]] }, {}), false, false, ['the loop watch is late by 31 s']],
])('a node %s', (_, of, isLive, isReady, wrong) => {
  const report = healthOfNode(of)

  expect(report).toMatchObject({ isLive, isReady })
  expect(report.checks.filter(({ isOk }) => !isOk).map(({ detail }) => detail)).toEqual(wrong)
})
