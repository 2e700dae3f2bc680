/**
 * The one suite that every store driver passes. A driver of your own runs it in a vitest file:
 *
 *     import { describeStore } from 'millrace/conformance'
 *     describeStore('my store', async ({ clock }) => ({ store, reopen, close }))
 *
 * A case that needs what a driver cannot do is skipped by the capability that it names.
 */
import { describe, it } from 'vitest'
import { changeWhereCases } from './change-where.ts'
import { checkpointCases } from './checkpoint.ts'
import { claimCases } from './claim.ts'
import { clusterCases } from './cluster.ts'
import { controlCases } from './control.ts'
import { copyCases } from './copy.ts'
import { copyRememberedCases } from './copy-remembered.ts'
import { crashedCases } from './crashed.ts'
import { damagedCases } from './damaged.ts'
import { dependencyCases } from './dependencies.ts'
import { errorCases } from './errors.ts'
import { expireCases } from './expire.ts'
import { fenceCases } from './fences.ts'
import { filterCases } from './filter.ts'
import { type Case, Fixture, type OpenStore } from './fixture.ts'
import { forgetCases } from './forget.ts'
import { hostileCases } from './hostile.ts'
import { insertCases } from './insert.ts'
import { leaseCases } from './lease.ts'
import { lifeCycleCases } from './life-cycle.ts'
import { listCases } from './list.ts'
import { mailboxCases } from './mailbox.ts'
import { matrixCases } from './matrix.ts'
import { modelCases } from './model.ts'
import { moreCases } from './more.ts'
import { pruneCases } from './prune.ts'
import { queueCases } from './queues.ts'
import { raceCases } from './races.ts'
import { recoverCases } from './recover.ts'
import { resealCases } from './reseal.ts'
import { settleCases } from './settle.ts'
import { stateCases } from './state.ts'
import { strangerCases } from './strangers.ts'
import { uniqueCases } from './unique.ts'
import { withinCases } from './within.ts'

/** How the suite is run. */
export interface SuiteOptions {
  /** How many random sequences are compared with the memory store, default 100. Fewer for a second way to a store that passed. */
  readonly sequences?: number
}

/** Declares the whole suite for one driver. `open` makes a fresh, empty store for each case. */
export function describeStore(name: string, open: OpenStore, options: SuiteOptions = {}): void {
  const test: Case = (title, body, timeoutMs) => it(title, () => Fixture.run(open, body), timeoutMs)
  describe(`store contract: ${name}`, () => {
    lifeCycleCases(test)
    insertCases(test)
    uniqueCases(test)
    claimCases(test)
    moreCases(test)
    strangerCases(test)
    settleCases(test)
    crashedCases(test)
    forgetCases(test)
    leaseCases(test)
    recoverCases(test)
    fenceCases(test)
    checkpointCases(test)
    matrixCases(test)
    dependencyCases(test)
    controlCases(test)
    expireCases(test)
    queueCases(test)
    listCases(test)
    filterCases(test)
    changeWhereCases(test)
    pruneCases(test)
    resealCases(test)
    stateCases(test)
    clusterCases(test)
    mailboxCases(test)
    copyCases(test)
    copyRememberedCases(test)
    hostileCases(test)
    damagedCases(test)
    errorCases(test)
    withinCases(test)
    raceCases(test)
    modelCases(open, options.sequences)
  })
}
