/** How a handler of the laboratory writes down what it does. Isolates load this, and little else. */
import type { JobContext } from '../../../../src/index.ts'
import { appendTo, now } from '../ledgers.ts'
import { type Inputs, type Kind, optionsOf } from './kinds.ts'
import { defineJob } from './library.ts'

const { MILLRACE_LAB_FOLDER: folder = '.' } = process.env
/** Asked once: it changes when the parent ends. */
const { ppid } = process

/** The ledger of what handlers do. */
export const effects = appendTo(folder, 'effects')

/** A job of this kind that writes down its start and its end, and does `body` in between. */
export function noted<K extends Kind>(name: K, body: (input: Inputs[K], job: JobContext) => unknown) {
  return defineJob({
    ...optionsOf(name),
    run: async (input: Inputs[K], job) => {
      effects.write({ ...runOf(job), phase: 'start', parent: ppid, at: now() })
      try {
        await body(input, job)
      } catch (error) {
        effects.write({ ...runOf(job), phase: 'end', end: 'threw', at: now() })
        throw error
      }
      effects.write({ ...runOf(job), phase: 'end', end: 'returned', at: now() })
      return { epoch: job.fence }
    },
  })
}

/** What every line of an attempt has. */
export function runOf({ id, fence, attempt }: JobContext) {
  return { id, epoch: fence, attempt, pid: process.pid }
}
