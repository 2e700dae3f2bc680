/**
 * Where the time of a job goes, in microseconds, without a look inside Millrace: the codec's two functions and every
 * statement of node:sqlite are timed, statements told apart by their SQL. `rest` is the wall time that none of them took:
 * slots, promises, the handler itself. Timing costs about 0.1 µs a call, so the sum is a little above an unmeasured run.
 */

import { PerformanceObserver } from 'node:perf_hooks'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { defineJob, Millrace } from '../../dist/index.js'
import './processes.js'
import { finish, inFlight, options, payload } from './timing.js'

const { path, durability, count, concurrency } = options
/** What a statement's text says it is for, in the order they are tried. The duties' few looks at jobs count as claims. */
const RULES = [
  [/^\s*(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b/i, 'commit'],
  [/^\s*INSERT (?:OR \w+ )?INTO millrace_job\b/i, 'insert'],
  [/^\s*(?:INSERT (?:OR \w+ )?INTO millrace_archive|DELETE FROM millrace_job)\b/i, 'settle'],
  [/^\s*(?:SELECT|UPDATE|WITH)\b[\s\S]*\bmillrace_job\b/i, 'claim'],
]
const STAGES = new Map()
const spent = {}
let garbageMs = 0
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) garbageMs += entry.duration
}).observe({ entryTypes: ['gc'] })

const mill = await Millrace.open({ store: `sqlite:${path}?durability=${durability}` })
const noop = defineJob({ name: 'noop', run: async () => {} })
for (const name of ['run', 'all', 'get', 'iterate'])
  timeMethod(StatementSync.prototype, name, (statement) => stageOf(statement.sourceSQL))
timeMethod(DatabaseSync.prototype, 'exec', (_, sql) => stageOf(sql))
timeMethod(mill.codec, 'encode', () => 'encode')
timeMethod(mill.codec, 'decode', () => 'decode')

const enqueue = await phase(() => inFlight(100, count, (i) => mill.enqueue(noop, payload(i))))
const work = await phase(() => mill.work([noop], { concurrency, drain: true }).done)
await mill.close()
finish({
  encode: enqueue.encode,
  insert: enqueue.insert,
  insertCommit: enqueue.commit,
  enqueueRest: enqueue.rest,
  claim: work.claim,
  decode: work.decode,
  settle: work.settle,
  settleCommit: work.commit,
  other: work.other ?? 0,
  workRest: work.rest,
  garbage: enqueue.garbage + work.garbage,
  total: enqueue.total + work.total,
})

/** Runs something for `count` jobs and gives microseconds a job for each stage. */
async function phase(work) {
  for (const stage of Object.keys(spent)) delete spent[stage]
  garbageMs = 0
  const start = performance.now()
  await work()
  const total = performance.now() - start
  const rest = total - Object.values(spent).reduce((sum, ms) => sum + ms, 0)
  // The observer is told a turn later.
  await new Promise(setImmediate)
  const each = Object.entries({ ...spent, rest, garbage: garbageMs, total })
  return Object.fromEntries(each.map(([stage, ms]) => [stage, (ms * 1000) / count]))
}

function timeMethod(target, name, stage) {
  const original = target[name]
  target[name] = function timedCall(...args) {
    const start = performance.now()
    try {
      return original.apply(this, args)
    } finally {
      const key = stage(this, args[0])
      spent[key] = (spent[key] ?? 0) + performance.now() - start
    }
  }
}

/** The stage that a statement belongs to. Statements are few and prepared once, so each is looked at once. */
function stageOf(sql) {
  const known = STAGES.get(sql)
  if (known !== undefined) return known
  const found = RULES.find(([pattern]) => pattern.test(sql))?.[1] ?? 'other'
  STAGES.set(sql, found)
  return found
}
