/** I1, I2, I10, I12: what was acknowledged is there and has ended once, nothing else is, and children keep behind their parents. */
import { isFinal } from '../../../src/core/job/state.ts'
import type { EndRow, Evidence, Law } from './evidence.ts'
import { effectsByJob, lifeOf } from './evidence.ts'
import { idOf } from './ledgers.ts'
import { BEGINNING } from './world.ts'

/** I1: every acknowledged job is there and has ended. */
export const durability: Law = ({ ledgers, rows, wire }) => {
  const byId = new Map(rows.map((each) => [each.row.id, each.row]))
  return ledgers.enqueued.flatMap(({ n, status, id }) => {
    const isAcknowledged = status === 'created' || status === 'replaced' || (status === 'existing' && id === idOf(n))
    if (!isAcknowledged || id === null) return []
    const row = byId.get(id)
    if (row !== undefined && isFinal(row.state)) return []
    if (row === undefined && wire.life(id).removedAt.length > 0) return []
    return [`I1: job ${n} was acknowledged and ${row === undefined ? 'is nowhere' : `is still ${row.state}`}`]
  })
}

/** I2: every job in the store was enqueued, and is there once. */
export const noInvention: Law = ({ ledgers, rows }) => {
  const asked = new Set(ledgers.enqueued.filter(({ status }) => status !== 'refused').map(({ n }) => n))
  const count = Map.groupBy(rows, ({ n }) => n)
  return [...count].flatMap(([n, same]) => {
    if (!asked.has(n)) return [`I2: job ${n} was never enqueued`]
    return same.length > 1 ? [`I2: job ${n} is there ${same.length} times`] : []
  })
}

/** I12: what the store counts is what is there. */
export const conservation: Law = ({ rows, counts }) => {
  return Object.entries(counts).flatMap(([state, count]) => {
    const found = rows.filter(({ row }) => row.state === state).length
    return found === count ? [] : [`I12: the store counts ${count} ${state} jobs, and ${found} are there`]
  })
}

/** I10: no child starts before its parents have ended as its edges want it, and none is ended for a parent that went well. */
export const dependencies: Law = (evidence) => {
  const { plan, rows } = evidence
  const byN = new Map(rows.map((each) => [each.n, each]))
  const effects = effectsByJob(evidence)
  const isTouched = (n: number) => isRetried(evidence, n)
  return plan.jobs.flatMap((job) => {
    const [first] = effects.get(job.n) ?? []
    const child = byN.get(job.n)
    const known = job.parents.flatMap(({ n, onFailure }) => {
      const parent = byN.get(n)
      return parent === undefined || isTouched(n) ? [] : [{ n, onFailure, parent }]
    })
    const faults = known.flatMap(({ n, onFailure, parent }) => {
      if (first === undefined || isTouched(job.n)) return []
      const end = endOf(parent)
      if (end === null || end - BEGINNING > first.at + stepsOf(evidence))
        return [`I10: job ${job.n} started before its parent ${n} had ended`]
      const mayRun = parent.row.state === 'completed' || onFailure === 'proceed'
      return mayRun ? [] : [`I10: job ${job.n} started though its parent ${n} has ${parent.row.state}`]
    })
    const isWhole = known.length === job.parents.length
    const isForParent = child?.row.reason === 'parent' && !isTouched(job.n)
    if (isForParent && isWhole && known.every(({ parent }) => parent.row.state === 'completed'))
      faults.push(`I10: job ${job.n} was ended for a parent, and all of them have completed`)
    return faults
  })
}

/** Unique: no job is made while another holds its key, unless it takes that one's place. */
export const uniqueness: Law = (evidence) => {
  const { rows, plan } = evidence
  const replaces = new Set(plan.jobs.filter(({ unique }) => unique?.onConflict === 'replace').map(({ n }) => n))
  const keyed = Map.groupBy(
    rows.filter(({ n, row }) => row.uniqueKey !== null && !isRetried(evidence, n)),
    ({ row }) => row.uniqueKey,
  )
  return [...keyed].flatMap(([key, same]) =>
    same.flatMap((later) => {
      if (replaces.has(later.n)) return []
      const holder = same.find((sooner) => {
        if (lifeOf(evidence, sooner).isDisplaced || sooner.row.createdAt >= later.row.createdAt) return false
        return (sooner.row.finishedAt ?? Number.POSITIVE_INFINITY) > later.row.createdAt
      })
      return holder === undefined ? [] : [`unique: job ${later.n} was made while job ${holder.n} held the key ${key}`]
    }),
  )
}

/** A job whose end says that somebody wanted it was cancelled by an operator, or lost its unique key to another. */
export const noUnaskedCancel: Law = (evidence) => {
  const { ledgers, rows } = evidence
  const isAsked = (n: number) =>
    ledgers.acts.some(({ kind, n: of }) => (kind === 'cancel' && of === n) || kind === 'cancelWhere')
  return rows.flatMap((each) => {
    const isRequested = each.row.state === 'cancelled' && each.row.reason === 'requested'
    if (!isRequested || isAsked(each.n) || lifeOf(evidence, each).isDisplaced) return []
    return [`job ${each.n} was cancelled, and nobody had asked for it`]
  })
}

/** Whether somebody may have put the job back after its end. */
function isRetried({ ledgers, wire }: Evidence, n: number): boolean {
  const mayBe =
    wire.life(idOf(n)).isReborn || ledgers.acts.some((act) => act.outcome === null && (act.n === n || act.n === null))
  return mayBe || wire.life(idOf(n)).retriedAt.length > 0
}

/** When a job first ended, by the store's clock. */
function endOf({ row }: EndRow): number | null {
  const ended = row.history.find(
    ({ outcome }) => outcome === 'completed' || outcome === 'failed' || outcome === 'cancelled',
  )
  return ended?.endedAt ?? row.finishedAt
}

/** By how much the store's clock may be ahead of the world's. */
function stepsOf({ plan }: Evidence): number {
  return plan.faults.reduce((sum, fault) => (fault.kind === 'step' && fault.ms > 0 ? sum + fault.ms : sum), 1)
}
