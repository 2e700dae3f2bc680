/**
 * What runs in a process. It leads a process group of its own, which ends with it: when the worker is gone the channel closes, and
 * the whole group is killed. Signals that a terminal or a service manager sends to everybody are the worker's to act on.
 */
import { markIsolate } from './marker.ts'
import type { FromIsolate, Packet, Send, ToIsolate } from './message.ts'
import { Runner } from './runner.ts'

const LEFT_TO_WORKER: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']

const channelSend = process.send?.bind(process)
// Code that is run here must not take itself for a child that its own parent wants to hear of.
Reflect.deleteProperty(process, 'send')

const send: Send<FromIsolate> = (message, body = '') => sendThen(message, body, () => {})

for (const name of LEFT_TO_WORKER) process.on(name, () => {})
process.on('disconnect', endGroup)
process.title = 'millrace isolate'
// Lost output harms no attempt: whoever reads none has heard of it from the worker.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

const runner = new Runner()
markIsolate()
runner.catchAll()
process.on('message', ([message, body]: Packet<ToIsolate>) => {
  if (message.kind !== 'run') runner.hear(message)
  else void runner.run(message, body, send).then((last) => end(last.message, last.body))
})

function end(message: FromIsolate, body: string): void {
  const isCollecting = message.kind === 'done' && message.isCollecting
  sendThen(message, body, () => {
    if (isCollecting) send({ kind: 'looked', isWorn: runner.isWornOut() })
  })
}

/** Nobody is there to be told any more when it fails: the channel has closed. */
function sendThen(message: FromIsolate, body: string, onSent: () => void): void {
  channelSend?.([message, body] satisfies Packet<FromIsolate>, undefined, undefined, onSent)
}

function endGroup(): void {
  try {
    process.kill(-process.pid, 'SIGKILL')
  } catch {
    // This system has no groups.
    process.exit(1)
  }
}
