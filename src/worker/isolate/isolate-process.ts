/**
 * One process that runs handlers for a worker, one job at a time. It leads a process group, so that whatever its handlers start ends
 * with it. Its stdout is the worker's; its stderr passes through here, since what a process says last is all that tells why V8 has
 * ended it.
 *
 * It is gone when it has ended, its group was killed, and what it had sent is read.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { isolateArgs } from './exec-args.ts'
import type { Guard } from './guard.ts'
import type { IsolateDeath } from './isolate-error.ts'
import type { FromIsolate, Packet, RunMessage, ToIsolate } from './message.ts'
import { isolateFile } from './place.ts'
import type { IsolateListener } from './pool.ts'
import { fromWire } from './wire-error.ts'

/** Of what it says on stderr, the end is kept. */
const KEPT_TEXT = 4_096
/** What it has sent is read within this time of its end, or not at all. */
const MOST_READ_MS = 1_000
const MOST_WAIT_MS = 2_000
const OUT_OF_MEMORY = /JavaScript heap out of memory|Reached heap limit|invalid array length Allocation failed/

/** A process for handlers. */
export class IsolateProcess {
  readonly memoryMib: number | undefined
  readonly #guard: Guard
  readonly #child: ChildProcess
  readonly #onFree: (isolate: IsolateProcess) => void
  readonly #gone = Promise.withResolvers<void>()
  #listener: IsolateListener | undefined
  #death: IsolateDeath | undefined
  #said = ''
  #isKilled = false
  isGone = false
  /** It is free, and looks how much memory its jobs have left in it. An attempt that it is given waits for that. */
  isCollecting = false
  #unsent: Packet<ToIsolate>[] = []

  /** `onFree`: its attempt has ended, and it may have another. `onGone`: it is gone. */
  constructor(
    guard: Guard,
    memoryMib: number | undefined,
    onFree: (isolate: IsolateProcess) => void,
    onGone: (isolate: IsolateProcess) => void,
  ) {
    this.memoryMib = memoryMib
    this.#guard = guard
    this.#onFree = onFree
    const args = [...isolateArgs(process.execArgv, memoryMib), isolateFile('process')]
    const child = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    this.#child = child
    if (child.pid !== undefined) guard.add(child.pid)
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#said = `${this.#said}${chunk.toString()}`.slice(-KEPT_TEXT)
      process.stderr.write(chunk)
    })
    child.on('message', (packet) => this.#heard(packet as Packet<FromIsolate>))
    child.on('error', (error) => {
      // Sending to one that has just ended fails too, and its exit tells.
      if (child.pid !== undefined) return
      this.#death = { kind: 'start', error }
      this.#ended()
    })
    child.on('exit', (code, signal) => this.#exited(code, signal))
    void this.#gone.promise.then(() => onGone(this))
  }

  /** It may have another attempt. */
  get isUsable(): boolean {
    return !this.isGone && !this.#isKilled && this.#death === undefined
  }

  /** Resolves when it is gone. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  /** Gives it an attempt. Only when it is free. */
  begin(message: RunMessage, body: string, listener: IsolateListener): void {
    this.#listener = listener
    this.#send(message, body)
  }

  send(message: ToIsolate): void {
    this.#send(message, '')
  }

  /** Ends it and all that it has started, now. */
  kill(): void {
    if (this.#isKilled || this.isGone) return
    this.#isKilled = true
    this.#killGroup()
    // One that the kernel keeps from ending is waited for no longer.
    const timer = setTimeout(() => this.#ended(), MOST_WAIT_MS)
    void this.#gone.promise.then(() => clearTimeout(timer))
  }

  #send(message: ToIsolate, body: string): void {
    if (this.isCollecting) this.#unsent.push([message, body])
    else if (this.#child.connected) this.#child.send([message, body] satisfies Packet<ToIsolate>, () => {})
  }

  #heard([message, body]: Packet<FromIsolate>): void {
    // What it says after an error that nothing caught is of no worth.
    if (this.#death !== undefined) return
    const listener = this.#listener
    if (message.kind === 'fatal') {
      this.#death = { kind: 'uncaught', what: message.what, error: fromWire(message.error) }
      this.#killGroup()
    } else if (message.kind === 'done') {
      this.#listener = undefined
      this.isCollecting = message.isCollecting
      if (message.left.length > 0) this.kill()
      else this.#onFree(this)
      listener?.onMessage(message, body)
    } else if (message.kind === 'looked') this.#looked(message.isWorn)
    else listener?.onMessage(message, body)
  }

  #looked(isWorn: boolean): void {
    this.isCollecting = false
    const unsent = this.#unsent.splice(0)
    if (isWorn) {
      const listener = this.#listener
      this.#listener = undefined
      this.kill()
      listener?.onGone('worn')
    } else for (const [message, body] of unsent) this.#send(message, body)
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    // What it had started lives on without it.
    this.#killGroup()
    if (this.#child.pid !== undefined) this.#guard.remove(this.#child.pid)
    const timer = setTimeout(() => this.#read(code, signal), MOST_READ_MS)
    this.#child.once('close', () => {
      clearTimeout(timer)
      this.#read(code, signal)
    })
  }

  #read(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.isGone) return
    this.#death ??= deathOf(code, signal, this.#said)
    this.#ended()
  }

  #ended(): void {
    if (this.isGone) return
    this.isGone = true
    this.#child.stderr?.destroy()
    const listener = this.#listener
    this.#listener = undefined
    listener?.onGone(this.#isKilled ? undefined : this.#death)
    this.#gone.resolve()
  }

  #killGroup(): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Nobody is left in it, or this system has no groups.
      this.#child.kill('SIGKILL')
    }
  }
}

function deathOf(code: number | null, signal: NodeJS.Signals | null, said: string): IsolateDeath {
  if (signal === null) return { kind: 'exited', code: code ?? 0 }
  if (OUT_OF_MEMORY.test(said)) return { kind: 'memory' }
  return { kind: 'killed', signal, said: lastLineOf(said) }
}

/** The last line that says something in words, not a frame or an address. */
function lastLineOf(said: string): string {
  const lines = said.split('\n').map((line) => line.trim())
  return lines.findLast((line) => line !== '' && !/^(at |\d+: |0x|---|#)/.test(line))?.slice(0, 200) ?? ''
}
