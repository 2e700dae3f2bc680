/** I1, I2, I5, I12, I14: what the store has on record, against what producers were told and handlers did. */
import type { FaultLine } from '../ledgers.ts'
import { attemptsOf, countsAsAttempt, ENDED, type History, type Run, runsOf, settledCrashesOf } from './history.ts'

/** An acknowledged job that is not there, or has not ended. */
export function lostOrStuck({ producer, jobs }: History): {
  readonly lost: readonly string[]
  readonly stuck: readonly string[]
} {
  const byId = Map.groupBy(jobs, ({ id }) => id)
  const lost: string[] = []
  const stuck: string[] = []
  for (const { id, status } of producer) {
    if (status !== 'acked') continue
    const rows = byId.get(id) ?? []
    if (rows.length === 0) lost.push(`${id} was acknowledged and is not there`)
    if (rows.length > 1) lost.push(`${id} is there ${rows.length} times`)
    for (const { state, isUnreadable } of rows) {
      if (!ENDED.has(state)) stuck.push(`${id} is still ${state}`)
      if (isUnreadable) lost.push(`${id} does not open`)
    }
  }
  return { lost, stuck }
}

/** A job that nobody enqueued, or that is there more than once. */
export function invented({ producer, jobs }: History): readonly string[] {
  const asked = new Set(producer.map(({ id }) => id))
  const seen = new Set<string>()
  return jobs.flatMap(({ id }) => {
    const fault = !asked.has(id)
      ? `${id} was enqueued by nobody`
      : seen.has(id)
        ? `${id} is there more than once`
        : null
    seen.add(id)
    return fault === null ? [] : [fault]
  })
}

/** Words of a stale attempt that were believed, and epochs that did not grow. */
export function staleAccepted(history: History): readonly string[] {
  const runs = runsOf(history)
  const accepted = staleTries(history).flatMap(({ what, id, epoch, answer }) =>
    answer === 'accepted' ? [`${what} of ${id} under ${epoch} was accepted`] : [],
  )
  return [
    ...accepted,
    ...staleWords(history),
    ...history.jobs.flatMap((job) => staleIn(job, runs.get(job.id) ?? [], job.name === history.effectName)),
  ]
}

/** Notes and log lines that the store has of an attempt which wrote them when a later one had begun. */
function staleWords({ effects, jobs }: History): readonly string[] {
  const starts = Map.groupBy(
    effects.filter(({ phase }) => phase === 'start'),
    ({ id }) => id,
  )
  const told = new Map(jobs.map(({ id, toldEpochs }) => [id, toldEpochs]))
  return effects.flatMap(({ phase, id, epoch, at }) => {
    if (phase !== 'told' || !told.get(id)?.includes(epoch)) return []
    const isStale = starts.get(id)?.some((start) => start.epoch > epoch && start.at < at) === true
    return isStale ? [`${id} has notes or log lines that ${epoch} wrote when a later attempt had begun`] : []
  })
}

/** What attempts tried that were not the last of their job. */
export function staleTries({ effects, jobs }: History) {
  const last = new Map(jobs.map(({ id, history }) => [id, Math.max(0, ...history.map(({ epoch }) => epoch))]))
  return effects.flatMap((line) => (line.phase === 'try' && line.epoch < (last.get(line.id) ?? 0) ? [line] : []))
}

function staleIn(
  { id, state, history, resultEpoch }: History['jobs'][number],
  runs: readonly { readonly epoch: number; readonly end: string | null }[],
  commitsItself: boolean,
): string[] {
  const epochs = history.map(({ epoch }) => epoch)
  const last = Math.max(0, ...epochs)
  const faults: string[] = []
  if (epochs.some((epoch, i) => i > 0 && epoch <= (epochs[i - 1] ?? 0)))
    faults.push(`${id}: its epochs are ${epochs.join()}`)
  const completed = history.filter(({ outcome }) => outcome === 'completed')
  if (state === 'completed') {
    if (completed.length !== 1 || completed[0]?.epoch !== last)
      faults.push(`${id} completed ${completed.length} times, last under ${last}`)
    const begun = runs.find(({ epoch }) => epoch === completed[0]?.epoch)
    // One that commits its own completion may end with its process right after.
    if (begun !== undefined && begun.end !== 'returned' && !(commitsItself && begun.end === null))
      faults.push(`${id} was completed by a run that did not return`)
    if (runs.length > 0 && begun === undefined)
      faults.push(`${id} was completed under ${completed[0]?.epoch}, and never began there`)
    if (resultEpoch !== null && resultEpoch !== completed[0]?.epoch)
      faults.push(`${id} has the result of ${resultEpoch}, completed under ${last}`)
  }
  if (runs.some(({ epoch }) => epoch > last) && ENDED.has(state))
    faults.push(`${id} began under an epoch after its last, ${last}`)
  return faults
}

/** Counts of the store that its own rows do not add up to, and tables that do not hold together. */
export function miscounted({ jobs, counted, tableFaults }: History): readonly string[] {
  const states = new Set([...jobs.map(({ state }) => state), ...Object.keys(counted)])
  const wrong = [...states].flatMap((state) => {
    const rows = jobs.filter((job) => job.state === state).length
    return rows === (counted[state] ?? 0) ? [] : [`${rows} jobs are ${state}, ${counted[state] ?? 0} are counted`]
  })
  return [...wrong, ...tableFaults]
}

/** Attempts and losses that are not what happened: a loss or an orderly stop burns no attempt, a quarantine needs its crashes. */
export function dishonest(history: History): readonly string[] {
  const { keptAttempts } = history.terms
  const runs = runsOf(history)
  return history.jobs.flatMap((job) => {
    if (job.history.length >= keptAttempts) return []
    const faults: string[] = []
    const counted = job.history.filter(countsAsAttempt).length
    const lost = job.history.filter(({ outcome }) => outcome === 'lost').length
    const settledCrashes = settledCrashesOf(job)
    if (settledCrashes < 0 || settledCrashes > job.crashes)
      faults.push(`${job.id} counts ${job.attempts} attempts and ${job.crashes} crashes, ${counted} ends are on record`)
    if (job.losses !== lost) faults.push(`${job.id} counts ${job.losses} losses, ${lost} are on record`)
    if (job.crashes > job.losses + Math.max(0, settledCrashes))
      faults.push(`${job.id} counts ${job.crashes} crashes in ${job.losses} losses`)
    if (job.reason === 'quarantined' && job.crashes < 3)
      faults.push(`${job.id} is quarantined after ${job.crashes} crashes`)
    const most = attemptsOf(history.terms, job.name)
    if (job.reason === 'exhausted' && job.attempts < most)
      faults.push(`${job.id} is exhausted after ${job.attempts} of ${most} attempts`)
    const burned = (runs.get(job.id) ?? []).filter((run) => {
      const outcome = job.history.find(({ epoch }) => epoch === run.epoch)?.outcome
      return (outcome === 'retrying' || outcome === 'failed') && run.end === 'threw' && wasStopped(history, run)
    })
    if (burned.length > 0) faults.push(`${job.id} was interrupted by a stop, and that counts as an attempt`)
    // Whoever was stopped in good order said so itself: it neither returned nor failed.
    const released = new Set(job.history.filter(({ outcome }) => outcome === 'pending').map(({ epoch }) => epoch))
    const returned = (runs.get(job.id) ?? []).filter(({ end, epoch }) => end === 'returned' && released.has(epoch))
    if (returned.length > 0) faults.push(`${job.id} returned, and was given back all the same`)
    return faults
  })
}

/** Whether a run ended after its process had been told to stop. */
function wasStopped({ faults }: History, { pid, parent, to }: Run): boolean {
  const isItsOwn = (fault: FaultLine) => fault.pid !== null && (fault.pid === pid || fault.pid === parent)
  return faults.some((fault) => fault.kind === 'term' && isItsOwn(fault) && to !== null && fault.from <= to)
}
