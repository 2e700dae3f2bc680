/** I9: what began in a queue, or in a worker, while that was paused. */
import { type History, heldMs, type Run, runsOf } from './history.ts'

/**
 * Starts in a paused queue or worker, later after the pause was acknowledged than a claim may take that was under way then, and before anybody
 * asked to resume it. The time in which the process of a start stood still does not count: it had claimed the job before.
 */
export function startedInPause(history: History): readonly string[] {
  const { pauseWithinMs } = history.terms
  const queues = new Map(history.jobs.map(({ id, queue }) => [id, queue]))
  const runs = [...runsOf(history).values()].flat()
  return history.faults.flatMap(({ kind, queue, pid, from, to }) => {
    if (kind !== 'pause') return []
    const isPaused = (run: Run) =>
      queue === undefined ? run.pid === pid || run.parent === pid : queues.get(run.id) === queue
    return runs.flatMap((run) => {
      if (!isPaused(run) || run.from <= from || (to !== null && run.from >= to)) return []
      const ms = run.from - from - heldMs(holding(history, run), from, run.from)
      if (ms <= pauseWithinMs) return []
      return [
        `${run.id} began under ${run.epoch} ${Math.round(ms)} ms after the pause of ${queue ?? `worker ${pid}`} was acknowledged`,
      ]
    })
  })
}

function holding({ faults }: History, run: Run) {
  const isItsOwn = (pid: number | null) => pid === null || pid === run.pid || pid === run.parent
  return faults.filter(({ kind, pid }) => (kind === 'stall' || kind === 'stop' || kind === 'block') && isItsOwn(pid))
}
