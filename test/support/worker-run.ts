/** One worker process whose supervisor is played by a test: what it is told, what it says, and its end. */
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { newWorkerId } from '../../src/base/id.ts'
import { launch } from '../../src/worker/process/launch.ts'
import { type FromWorker, PROTOCOL, type ToWorker } from '../../src/worker/process/messages.ts'
import type { NodeApp } from './node-app.ts'

export interface WorkerRun {
  /** All that it has said so far. */
  readonly said: readonly FromWorker[]
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** Tells it to begin, by the protocol of this release unless another is given. */
  start(plan: unknown, protocol?: number): void
  tell(message: ToWorker): void
}

/** The plan of a worker that runs the app's handlers. */
export function planOf({ folder, storeUrl }: Pick<NodeApp, 'folder' | 'storeUrl'>): unknown {
  return { store: storeUrl, base: folder, config: join(folder, 'millrace.config.mjs'), entries: [], options: {} }
}

/** Starts the program of a worker process as the package has it; it is killed after the test if it is there still. */
export function workerRun(): WorkerRun {
  const id = newWorkerId()
  const file = join(process.env.MILLRACE_TEST_PACKAGE ?? '', 'dist/runtime/worker-main.js')
  const { child, list } = launch({ file }, id)
  const said: FromWorker[] = []
  // Nothing but ours writes to the channel of a process that runs ours.
  child.on('message', (message) => void said.push(message as FromWorker))
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      list.close()
      resolve({ code, signal })
    })
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const tell = (message: ToWorker) => void child.send(message)
  return {
    said,
    ended,
    tell,
    start: (plan, protocol = PROTOCOL) =>
      tell({ kind: 'start', protocol, node: newWorkerId(), workerId: id, isPaused: false, plan }),
  }
}
