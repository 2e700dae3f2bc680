/** The channel between a supervisor and one of its workers: messages that never throw, whoever has gone meanwhile. */
import type { ChildProcess } from 'node:child_process'
import type { FromWorker, ToWorker } from './messages.ts'

/** Sends to a worker process. False when it cannot hear any more. */
export function tellWorker(child: ChildProcess, message: ToWorker): boolean {
  if (!child.connected) return false
  try {
    // The callback takes what would be an error event: a worker that has just ended is learnt of by its end.
    child.send(message, () => undefined)
    return true
  } catch {
    return false
  }
}

/** The worker's end of the channel. */
export interface WorkerEnd {
  /** Resolves when it is sent, or can never be. */
  send(message: FromWorker): Promise<void>
  onMessage(take: (message: ToWorker) => void): void
  /** The supervisor has gone. */
  onOrphaned(take: () => void): void
  close(): void
}

/** The channel of this process to the one that started it. */
export function channelUp(): WorkerEnd {
  const send = process.send?.bind(process)
  // Code that is run here must not take itself for a child that its own parent wants to hear of. (Node itself calls `disconnect`
  // when the channel has closed: without it nobody would be told.)
  Reflect.deleteProperty(process, 'send')
  return {
    send: (message) =>
      new Promise((resolve) => {
        if (send === undefined || !process.connected) resolve()
        else send(message, undefined, undefined, () => resolve())
      }),
    // What comes over it is sent by `tellWorker`, of the same protocol: see messages.ts.
    onMessage: (take) => void process.on('message', (message) => take(message as ToWorker)),
    onOrphaned: (take) => {
      if (process.connected) process.once('disconnect', take)
      else take()
    },
    close: () => {
      if (process.connected) process.disconnect()
    },
  }
}
