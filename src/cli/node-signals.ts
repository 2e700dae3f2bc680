/**
 * Signals of a supervisor. SIGTERM and SIGINT drain every worker; a second one aborts what runs, a third one kills. SIGHUP replaces
 * the workers one after the other, but stops the node when its terminal has gone, which is how the system tells that. SIGUSR1 has
 * it told how the workers are, also with `--quiet`, SIGUSR2 pauses claiming and resumes it.
 */
import { formatDuration } from '../core/duration.ts'
import { formatSize } from '../core/size.ts'
import type { NodeHandle, WorkerProcessView } from '../runtime/node-handle.ts'
import { eventJson } from './event-json.ts'
import { EXIT, type ExitCode } from './failure.ts'
import { takeEarlySignals } from './signals.ts'
import { watchTerminal } from './terminal-watch.ts'

/** Signals that are acted on until they are released. */
export interface NodeSignals {
  /** How the command ends by the signals that came; undefined: as it ends by itself. */
  readonly exitCode: ExitCode | undefined
  release(): void
}

/** Takes the signals over from the bin and acts on those that came meanwhile. `tell` gets a line for people, `log` is what stdout has. */
export function takeNodeSignals(node: NodeHandle, log: 'pretty' | 'json', tell: (line: string) => void): NodeSignals {
  let stops = 0
  let exitCode: ExitCode | undefined
  const isTerminalGone = watchTerminal()
  const stop = (name: string) => {
    stops++
    void node.stop({ now: stops > 1, kill: stops > 2 })
    if (stops === 1) tell(`${name}: stopping when the jobs that run are done; once more stops at once.`)
    if (stops === 2) tell(`${name}: aborting the jobs that run, which go back uncounted; once more kills the workers.`)
    if (stops > 1) exitCode = name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
  }
  const release = takeEarlySignals((name) => {
    if (name === 'SIGUSR1') tellStatus(node, log)
    else if (name === 'SIGUSR2') {
      if (node.isPaused) node.resume()
      else node.pause()
      tell(node.isPaused ? 'Paused: claims nothing until the next SIGUSR2.' : 'Resumed.')
    } else if (name === 'SIGHUP' && !isTerminalGone()) {
      tell('SIGHUP: replacing the workers one after the other.')
      void node
        .restart('SIGHUP')
        .then((isDone) => tell(isDone ? 'Every worker is replaced.' : 'Not every worker is replaced.'))
    } else stop(name)
  })
  return {
    get exitCode() {
      return exitCode
    },
    release,
  }
}

/** `1 worker process`, `2 worker processes`. */
export function processCount(count: number): string {
  return `${count} worker ${count === 1 ? 'process' : 'processes'}`
}

/** It was asked for: no `--quiet` keeps it back. */
function tellStatus(node: NodeHandle, log: 'pretty' | 'json'): void {
  if (log === 'json') console.log(eventJson('node.status', statusOf(node)))
  else for (const line of statusLines(node)) console.error(line)
}

function statusOf({ id, isPaused, isStopping, jobsDone, workers }: NodeHandle): object {
  const rounded = workers.map((worker) => ({ ...worker, upMs: Math.round(worker.upMs) }))
  return { node: id, isPaused, isStopping, jobsDone, workers: rounded }
}

function statusLines(node: NodeHandle): readonly string[] {
  const head = `Node ${node.id}${node.isPaused ? ', paused' : ''}: ${processCount(node.workers.length)}`
  return [head, ...node.workers.map(workerLine)]
}

function workerLine({
  seat,
  pid,
  state,
  isStalled,
  upMs,
  running,
  jobsDone,
  rssBytes,
  loopDelayP99Ms,
}: WorkerProcessView): string {
  const parts = [
    `worker ${seat} (pid ${pid})`,
    isStalled ? 'stalled' : state,
    `up ${formatDuration(Math.round(upMs / 1000) * 1000)}`,
    `${running} running`,
    `${jobsDone} done`,
    ...(rssBytes === null ? [] : [formatSize(rssBytes)]),
    ...(loopDelayP99Ms === null ? [] : [`loop p99 ${loopDelayP99Ms} ms`]),
  ]
  return `  ${parts.join(' · ')}`
}
