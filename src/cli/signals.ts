/**
 * Signals of `millrace work`. The first SIGTERM, SIGINT or SIGHUP (the terminal was closed) stops gracefully; a second one
 * aborts what runs and gives its leases back, attempts uncounted; a third one ends the process where it stands. SIGUSR1 has it told
 * how things are, also with `--quiet`, SIGUSR2 pauses claiming and resumes it.
 */
import type { WorkerHandle } from '../runtime/worker-handle.ts'
import { eventJson } from './event-json.ts'
import { EXIT, type ExitCode } from './failure.ts'

/** What the bin noted before this code was loaded; see bin/millrace.js. */
interface EarlySignals extends Array<string> {
  release(): void
}

/** Signals that are acted on until they are released. */
export interface TakenSignals {
  /** How the command ends by the signals that came: 0 after an orderly stop. */
  readonly exitCode: ExitCode
  /** Takes the handlers off. */
  release(): void
}

const STOPS = 'It stops, and claims nothing any more.'
const NAMES = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const

/** Takes the signals over from the bin and acts on those that came meanwhile. `tell` gets a line for people, `log` is what stdout has. */
export function takeSignals(worker: WorkerHandle, log: 'pretty' | 'json', tell: (line: string) => void): TakenSignals {
  let stops = 0
  let exitCode: ExitCode = EXIT.ok
  const stop = (name: string) => {
    stops++
    // `done` tells how it ended.
    void worker.stop({ now: stops > 1 })
    if (stops === 1) {
      tell(
        `${name}: stopping${worker.running === 0 ? '' : ` when ${worker.running === 1 ? 'the job that runs is' : `the ${worker.running} jobs that run are`} done; once more stops at once`}.`,
      )
      return
    }
    exitCode = name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
    if (stops > 2) process.exit(exitCode)
  }
  const onSignal = (name: string) => {
    if (name === 'SIGUSR1') tellStatus(worker, log)
    else if (name === 'SIGUSR2') {
      // Somebody else may have paused it: it is asked.
      if (worker.view.isPaused) worker.resume()
      else worker.pause()
      const { isPaused, isStopping } = worker.view
      tell(isStopping ? STOPS : isPaused ? 'Paused: claims nothing until the next SIGUSR2.' : 'Resumed.')
    } else stop(name)
  }
  const release = takeEarlySignals(onSignal)
  return {
    get exitCode() {
      return exitCode
    },
    release,
  }
}

/** It was asked for: no `--quiet` keeps it back. */
function tellStatus({ id, view }: WorkerHandle, log: 'pretty' | 'json'): void {
  const { running, jobsDone, isPaused, isStopping, storeAnsweredMs, late } = view
  if (log === 'json') {
    const status = isStopping ? 'draining' : isPaused ? 'paused' : 'running'
    console.log(eventJson('worker.status', { workerId: id, status, running, jobsDone, storeAnsweredMs, late }))
  } else console.error(`${running} running, ${jobsDone} done${isPaused ? ', paused' : ''}`)
}

/** Calls `onSignal` for each signal that came since the bin's first line, and for each that comes from now on. Returns the way out. */
export function takeEarlySignals(onSignal: (name: string) => void): () => void {
  const installed = NAMES.filter((name) => {
    try {
      process.on(name, onSignal)
      return true
    } catch {
      return false // This system has no such signal: nobody can send it.
    }
  })
  const early = Reflect.get(globalThis, Symbol.for('millrace.signals')) as EarlySignals | undefined
  early?.release()
  for (const name of early ?? []) onSignal(name)
  return () => {
    for (const name of installed) process.removeListener(name, onSignal)
  }
}

/**
 * Ends the process soon, should something still hold it when everything is stopped and closed: the timer or the socket of a
 * handler that did not heed its signal, or of a store that does not answer. It does not hold the process itself.
 */
export function endDespiteHandlers(): void {
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

/** Long enough for what is written to a pipe to get there. */
const LINGER_MS = 250
