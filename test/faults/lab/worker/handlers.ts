/**
 * The handlers of the laboratory, in real workers: each writes down its start and its end, and does as its input says. The
 * environment says where the ledgers are (`MILLRACE_LAB_FOLDER`) and how long a lease is (`MILLRACE_LAB_LEASE_MS`).
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Begun, beginOn } from '../../../tx/begin.ts'
import { appendTo, now } from '../ledgers.ts'
import { effects, noted, runOf } from './noted.ts'
import { failOddly } from './odd-failures.ts'
import { pause } from './pause.ts'
import { endProcess } from './sudden-ends.ts'
import { speak } from './zombie.ts'

const {
  MILLRACE_LAB_FOLDER: folder = '.',
  MILLRACE_LAB_LEASE_MS: leaseMs = '2000',
  MILLRACE_LAB_STORE: store = '',
  MILLRACE_LAB_PID: labPid,
} = process.env
const faults = appendTo(folder, 'faults')
const TICK_MS = 100
const LOCKED_MS = 3
const END_WITHIN_MS = 60_000

/** Asked once: it changes when the parent ends. */
const { ppid } = process
if (`${ppid}` === labPid) endWithLaboratory()
watchLoop()

/** Works for a while. */
export const work = noted('work', async ({ ms }, job) => {
  if (ms > 0) await pause(ms, job.signal)
  effects.write({ ...runOf(job), phase: 'effect', at: now() })
})
/** A healthy neighbour. */
export const canary = noted('canary', ({ ms }, job) => pause(ms, job.signal))
/** Its effect and its completion are one transaction. */
export const committed = noted('committed', async ({ ms }, job) => {
  await pause(ms, job.signal)
  const begun = await beginPatiently(job.signal)
  try {
    await begun.write(job.id)
    await job.completeIn(begun.tx, { epoch: job.fence })
  } catch (error) {
    await begun.end('rollback')
    throw error
  }
  await begun.end('commit')
})
/** Wakes up after its lease has gone. */
export const zombie = noted('zombie', async ({ wake, ends }, job) => {
  job.signal.addEventListener('abort', () => effects.write({ ...runOf(job), phase: 'aborted', at: now() }))
  while (!existsSync(join(folder, wake))) await pause(5)
  effects.write({ ...runOf(job), phase: 'told', at: now() })
  await speak(job, ends, (what, answer) => effects.write({ ...runOf(job), phase: 'try', what, answer, at: now() }))
})
/** Takes its process with it. */
export const poison = noted('poison', ({ how }) => {
  const { pid } = process
  const at = now()
  faults.write({ kind: 'end', pid, from: at, to: null })
  return endProcess(how)
})
/** Fails in an odd way. */
export const odd = noted('odd', ({ how }) => failOddly(how))
/** Blocks. */
export const block = noted('block', ({ ms }, job) => {
  // Once: a successor that blocked too would end in quarantine.
  const mark = join(folder, `blocked-${job.id}`)
  if (existsSync(mark)) return
  writeFileSync(mark, '')
  const from = now()
  // Before it begins: it may be ended in the midst.
  faults.write({ kind: 'block', pid: process.pid, from, to: from + ms })
  while (now() < from + ms);
})
/** Never ends by itself. */
export const endless = noted('endless', ({ deaf }, job) => {
  return new Promise<void>((_, fail) => {
    // A handler that waits for something holds its process.
    const holding = setInterval(() => undefined, END_WITHIN_MS)
    if (deaf) return
    job.signal.addEventListener('abort', () => {
      clearInterval(holding)
      fail(job.signal.reason)
    })
  })
})
/** A worker ends with whoever started it, also when that was killed. One of a supervisor, and an isolate, hear of it themselves. */
function endWithLaboratory(): void {
  process.stdin.on('end', () => process.exit(1))
  process.stdin.on('error', () => process.exit(1))
  process.stdin.resume()
  if ('unref' in process.stdin) process.stdin.unref()
}

/** A transaction of the handler's own. The event loop turns while it waits for the lock of a file, as it has to in a worker. */
async function beginPatiently(signal: AbortSignal): Promise<Begun> {
  for (;;) {
    try {
      return await beginOn(store, 0)
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('locked'))) throw error
      await pause(LOCKED_MS, signal)
    }
  }
}

/** On a machine that is busy with other things a loop may stand still for as long as under a fault: that is written down too. */
function watchLoop(): void {
  let last = now()
  const look = () => {
    const at = now()
    if (at - last > Number(leaseMs) / 8) faults.write({ kind: 'stall', pid: process.pid, from: last, to: at })
    last = at
  }
  setInterval(look, TICK_MS).unref()
}
