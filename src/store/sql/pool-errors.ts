/** What a pool says of itself: that a call was late, or came too late. */
import { StoreError } from '../../core/errors.ts'

/** A call did not end within its deadline. `where`: the server for people, without secrets. */
export function lateError(where: string, deadlineMs: number): StoreError {
  return new StoreError('transient', 'STORE_UNREACHABLE', `${where} did not answer within ${deadlineMs / 1000} s`, {
    fields: { store: where, deadlineMs },
    hint: 'Check the server and the network; a longer ?deadline=… allows for more.',
  })
}

/**
 * The same of a call one of whose tries waited for a lock in vain, which is `busy`. That try was undone; a later one may have got
 * the lock and been on its way to its commit when the time was over, unless it `onlyReads`.
 */
export function waitedError(busy: StoreError, where: string, deadlineMs: number, onlyReads = false): StoreError {
  const seconds = deadlineMs / 1000
  const why = `${where} did not end the call within ${seconds} s: it waited for a lock`
  const said = onlyReads ? why : `${why}. It may have been done all the same`
  return new StoreError(busy.kind, busy.code, said, {
    fields: { ...busy.fields, deadlineMs },
    ...(busy.hint !== undefined && { hint: busy.hint }),
    cause: busy,
  })
}

/** The store was closed before, or while the call waited for a connection. */
export function closedError(where: string): StoreError {
  return new StoreError('closed', 'STORE_CLOSED', `the store ${where} is closed`, { fields: { store: where } })
}
