/** What runs in a thread: the task of the thread pool is one attempt. */
import type { MessagePort } from 'node:worker_threads'
import { markIsolate } from './marker.ts'
import type { FromIsolate, Packet, RunMessage, ToIsolate } from './message.ts'
import { Runner } from './runner.ts'

/** One attempt, with the port by which it is spoken to while it runs. */
export interface ThreadTask {
  readonly port: MessagePort
  readonly message: RunMessage
  readonly body: string
}

const runner = new Runner()
let port: MessagePort | undefined
markIsolate()
runner.catchAll()
process.on('exit', (code) => tell({ kind: 'exit', code }))

/** Runs one attempt. The pool calls it. */
export default async function runTask(task: ThreadTask): Promise<void> {
  const own = task.port
  port = own
  own.on('message', (message: ToIsolate) => runner.hear(message))
  const { message, body } = await runner.run(task.message, task.body, tell)
  tell(message, body)
  // Left things behind: the worker ends this thread, and the pool must not give it a task before that.
  if (message.kind === 'done' && message.left.length > 0) await new Promise<never>(() => {})
  own.removeAllListeners('message')
}

function tell(message: FromIsolate, body = ''): void {
  port?.postMessage([message, body] satisfies Packet<FromIsolate>)
}
