/** I13: what a run does when nobody brings a fault about any more. */
import type { History } from './history.ts'

/** The quiet time before a run is judged: that it lasted, that no fault fell into it, and that nothing was left to begin in it. */
export function disturbances({ quiet, faults, effects }: History): readonly string[] {
  const { from, to, leastMs } = quiet
  const short = to - from < leastMs ? [`the quiet time lasted ${Math.round(to - from)} ms, ${leastMs} were to`] : []
  const loud = faults.flatMap((fault) => {
    const lasts = fault.kind === 'stop' || fault.kind === 'cut' || fault.kind === 'pause'
    const end = lasts ? (fault.to ?? Number.POSITIVE_INFINITY) : fault.from
    return fault.kind !== 'stall' && fault.from < to && end > from ? [`a ${fault.kind} fell into the quiet time`] : []
  })
  const late = effects.flatMap(({ phase, id, epoch, at }) =>
    phase === 'start' && at > from && at < to ? [`${id} began under ${epoch} in the quiet time`] : [],
  )
  return [...short, ...loud, ...late]
}
