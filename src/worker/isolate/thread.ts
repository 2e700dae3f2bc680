/** What runs in a thread: the task of the thread pool is one attempt. */
import { type MessagePort, threadId } from 'node:worker_threads'
import { markIsolate } from './marker.ts'
import {
  COLLECT_TASK,
  type FromIsolate,
  NO_TASK,
  type Packet,
  type RunMessage,
  type ThreadLeft,
  type ThreadNeeds,
  type ToIsolate,
} from './message.ts'
import { Runner } from './runner.ts'

/** One attempt, with the port by which it is spoken to while it runs. */
export interface ThreadTask {
  readonly port: MessagePort
  readonly message: RunMessage
  readonly body: string
}

const runner = new Runner()
let port: MessagePort | undefined
let needs: ThreadNeeds | undefined
markIsolate()
runner.catchAll()
process.on('exit', (code) => tell({ kind: 'exit', code }))

/** Runs one attempt, or collects, or does nothing. The pool calls it. Resolves with what jobs have left here. */
export default async function runTask(task: ThreadTask | typeof COLLECT_TASK | typeof NO_TASK): Promise<ThreadLeft> {
  if (task === COLLECT_TASK) {
    runner.collect()
    return left()
  }
  if (task === NO_TASK) return left()
  const own = task.port
  port = own
  own.on('message', hear)
  const { message, body } = await runner.run(task.message, task.body, tell)
  tell(message, body)
  // Left things behind: the worker ends this thread, and the pool must not give it a task before that.
  if (message.kind === 'done' && message.left.length > 0) await new Promise<never>(() => {})
  own.removeAllListeners('message')
  port = undefined
  // Its end is told. As long as this task lasts the pool gives the thread no other, and a thread that ends itself none any more.
  if (message.kind === 'done' && message.isCollecting && runner.isWornOut()) process.exit()
  return left()
}

function left(): ThreadLeft {
  return { threadId, leftBytes: runner.leftBytes }
}

function hear(message: ToIsolate): void {
  if (message.kind !== 'collect') {
    runner.hear(message)
    return
  }
  runner.collect()
  tell({ kind: 'collected', ...left() })
}

function tell(message: FromIsolate, body = ''): void {
  // An error of what an attempt has left running, that nobody hears of any more: whoever is next has another thread.
  if (message.kind === 'fatal' && port === undefined) process.exit()
  const told = message.kind === 'began' ? { ...message, needs: needsNow() } : message
  port?.postMessage([told, body] satisfies Packet<FromIsolate>)
}

/** Asked first when the module of the first handler is loaded and nothing has run. With an empty handler 13 MiB, as PSS has it. */
function needsNow(): ThreadNeeds {
  if (needs === undefined) {
    // Of these the thread's own, where all of `rss` is the process's.
    const { heapTotal, external } = process.memoryUsage()
    needs = { threadId, bytes: heapTotal + external }
  }
  return needs
}
