/** Whether a worker or a node is well, loop by loop: what probes of orchestrators ask. */
import type { LateLoop } from '../base/loop.ts'
import type { StoreView } from '../worker/contact.ts'
import type { NodeHandle, WorkerProcessView } from './node-handle.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** One thing that was looked at. */
export interface HealthCheck {
  /** The loop, or the worker. */
  readonly name: string
  readonly isOk: boolean
  readonly detail: string
}

/** How it all stands. */
export interface HealthReport {
  /** Every loop does its rounds. When not, only a restart helps. */
  readonly isLive: boolean
  /** It is live, is at work or paused on request, and its store answers and takes writes. When not, it may be soon. */
  readonly isReady: boolean
  readonly checks: readonly HealthCheck[]
}

/** A store that has not answered, or has taken no writes, for this long is told of. */
const SILENT_STORE_MS = 30_000

/** The report of a worker in this process. */
export function healthOfWorker(worker: WorkerHandle): HealthReport {
  const { late, running, jobsDone, isStopping } = worker.view
  const loops = loopChecks(late)
  const store = storeCheck(worker.view)
  const work = {
    name: 'work',
    isOk: !isStopping,
    detail: isStopping ? 'it is stopping' : `${running} running, ${jobsDone} done`,
  }
  const isLive = late.length === 0
  return { isLive, isReady: isLive && store.isOk && work.isOk, checks: [...loops, store, work] }
}

/** The report of a node: its own loops decide whether it is live, since it looks after its workers by itself. */
export function healthOfNode(node: NodeHandle): HealthReport {
  const loops = loopChecks(node.late)
  const workers = node.workers.map(workerCheck)
  const isLive = node.late.length === 0
  const isReady = isLive && !node.isStopping && workers.some(({ isOk }) => isOk)
  return { isLive, isReady, checks: [...loops, ...workers] }
}

function workerCheck(worker: WorkerProcessView): HealthCheck {
  const { seat, pid, state, isStalled, late, running, jobsDone } = worker
  const name = `worker ${seat} (pid ${pid})`
  if (state !== 'working') return { name, isOk: false, detail: `it is ${state}` }
  if (isStalled) return { name, isOk: false, detail: 'its event loop is blocked: nothing is heard of it' }
  const [first] = late
  if (first !== undefined) return { name, isOk: false, detail: lateText(first) }
  const store = storeCheck(worker)
  return store.isOk ? { name, isOk: true, detail: `${running} running, ${jobsDone} done` } : { ...store, name }
}

function loopChecks(late: readonly LateLoop[]): readonly HealthCheck[] {
  if (late.length === 0) return [{ name: 'loops', isOk: true, detail: 'all on time' }]
  return late.map((loop) => ({ name: loop[0], isOk: false, detail: lateText(loop) }))
}

function lateText([loop, lateMs]: LateLoop): string {
  return `the loop ${loop} is late by ${Math.round(lateMs / 1000)} s`
}

function storeCheck({ storeAnsweredMs, isStoreReadOnly }: StoreView): HealthCheck {
  const s = Math.round(storeAnsweredMs / 100) / 10
  const detail = isStoreReadOnly ? `it has taken no writes for ${s} s (STORE_READ_ONLY)` : `it answered ${s} s ago`
  return { name: 'store', isOk: storeAnsweredMs < SILENT_STORE_MS, detail }
}
