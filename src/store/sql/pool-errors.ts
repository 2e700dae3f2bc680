/** What a pool says of itself: that a call was late, or came too late. */
import { StoreError } from '../../core/errors.ts'

/** A call did not end within its deadline. `where`: the server for people, without secrets. */
export function lateError(where: string, deadlineMs: number): StoreError {
  return new StoreError('transient', 'STORE_UNREACHABLE', `${where} did not answer within ${deadlineMs / 1000} s`, {
    fields: { store: where, deadlineMs },
    hint: 'Check the server and the network; a longer ?deadline=… allows for more.',
  })
}

/** The store was closed before, or while the call waited for a connection. */
export function closedError(where: string): StoreError {
  return new StoreError('closed', 'STORE_CLOSED', `the store ${where} is closed`, { fields: { store: where } })
}
