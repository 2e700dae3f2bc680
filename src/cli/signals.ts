/**
 * Signals of `millrace work`. The first SIGTERM, SIGINT or SIGHUP stops gracefully, and so does output that is lost; a second one
 * aborts what runs and gives its leases back, attempts uncounted; a third one ends the process where it stands. SIGUSR1 has it told
 * how things are, also with `--quiet`, SIGUSR2 pauses claiming and resumes it.
 *
 * To a node SIGHUP means that its workers shall be replaced, unless its terminal was closed. Here nobody can replace it but whoever
 * started it: it ends with 75, as after `millrace worker restart`.
 */
import type { WorkerHandle } from '../runtime/worker-handle.ts'
import { eventJson } from './event-json.ts'
import { EXIT, type ExitCode } from './failure.ts'
import { onLostOutput } from './lost-output.ts'
import { watchTerminal } from './terminal-watch.ts'

/** What the bin noted before this code was loaded; see bin/millrace.js. */
interface EarlySignals extends Array<string> {
  release(): void
}

/** Signals that are acted on until they are released. */
export interface TakenSignals {
  /** How the command ends by the signals that came: 0 after an orderly stop, 75 when it is to be started again. */
  readonly exitCode: ExitCode
  /** Takes the handlers off. */
  release(): void
}

const ONCE_MORE = 'once more stops at once.'
const STOPS = 'It stops, and claims nothing any more.'
const NAMES = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const

/** Takes the signals over from the bin and acts on those that came meanwhile. `tell` gets a line for people, `log` is what stdout has. */
export function takeSignals(worker: WorkerHandle, log: 'pretty' | 'json', tell: (line: string) => void): TakenSignals {
  let stops = 0
  let exitCode: ExitCode = EXIT.ok
  const isTerminalGone = watchTerminal()
  /** It was told, by the output that was lost or by the system. */
  let isEndTold = false
  const stop = (name: string, isRestart: boolean) => {
    stops++
    // `done` tells how it ended.
    void worker.stop({ now: stops > 1 })
    if (stops === 1) {
      if (isRestart) exitCode = EXIT.restart
      tell(`${name}: stopping${whenDone(worker.running)}${isRestart ? ', to be started again' : ''}; ${ONCE_MORE}`)
      return
    }
    if (!isRestart || exitCode !== EXIT.restart) exitCode = name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
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
    } else if (name !== 'SIGHUP' || !isTerminalGone()) stop(name, name === 'SIGHUP')
    else if (!isEndTold) {
      isEndTold = true
      stop(name, false)
    }
  }
  const releaseSignals = takeEarlySignals(onSignal)
  const releaseOutput = onLostOutput((isFailure) => {
    // The end of a terminal may have told so before, or tell so next.
    isEndTold = true
    if (stops === 0) stop('stdout is lost', false)
    if (isFailure) exitCode = EXIT.failed
  })
  return {
    get exitCode() {
      return exitCode
    },
    release: () => {
      releaseSignals()
      releaseOutput()
    },
  }
}

function whenDone(running: number): string {
  if (running === 0) return ''
  return ` when ${running === 1 ? 'the job that runs is' : `the ${running} jobs that run are`} done`
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
