/** Errors on their way out of an isolate: name, message, code, stack and causes, whatever was thrown. */
import { errorText } from '../../codec/redact.ts'

/** An error as it crosses, or a value that was thrown and is none. */
export type WireError =
  | {
      readonly name: string
      readonly message: string
      readonly stack?: string
      readonly code?: string | number
      readonly cause?: WireError
    }
  | { readonly value: string | number | boolean | null }
  | { readonly isUndefined: true }

const MOST_CAUSES = 3
/** Beyond what is stored, so that the worker's cut sees a secret that it goes through. */
const MOST_TEXT = 32_768

/** Takes apart anything thrown. Never throws, whatever its getters do. */
export function toWire(thrown: unknown, causes = MOST_CAUSES): WireError {
  if (thrown === undefined) return { isUndefined: true }
  if (thrown === null || typeof thrown === 'number' || typeof thrown === 'boolean') return { value: thrown }
  if (typeof thrown === 'string') return { value: thrown.slice(0, MOST_TEXT) }
  const stack = read(thrown, 'stack')
  const message = read(thrown, 'message')
  // Symbols, functions, objects that are no errors, and those whose getters throw are told in words.
  if (typeof stack !== 'string' && typeof message !== 'string') return shown(thrown)
  const name = read(thrown, 'name')
  const code = read(thrown, 'code')
  const cause = causes > 0 ? read(thrown, 'cause') : undefined
  return {
    name: typeof name === 'string' && name !== '' ? name.slice(0, 256) : 'Error',
    message: typeof message === 'string' ? message.slice(0, MOST_TEXT) : '',
    ...(typeof stack === 'string' && { stack: framesOf(stack) }),
    ...((typeof code === 'string' || typeof code === 'number') && {
      code: typeof code === 'string' ? code.slice(0, 64) : code,
    }),
    ...(cause !== undefined && { cause: toWire(cause, causes - 1) }),
  }
}

/** Puts it together again, as an Error with the names and texts that it had, or as the value that it was. */
export function fromWire(wire: WireError): unknown {
  if ('isUndefined' in wire) return undefined
  if ('value' in wire) return wire.value
  return dressed(new Error(wire.message), wire)
}

/** Gives an error the name, code, stack and cause of the one that crossed. */
export function dressed<E extends Error>(error: E, wire: WireError): E {
  if (!('message' in wire)) return error
  const hidden = { configurable: true, writable: true, enumerable: false }
  Object.defineProperty(error, 'name', { ...hidden, value: wire.name })
  Object.defineProperty(error, 'stack', {
    ...hidden,
    value: wire.stack === undefined ? undefined : `${wire.name}: ${wire.message}${wire.stack}`,
  })
  if (wire.code !== undefined) Object.defineProperty(error, 'code', { ...hidden, value: wire.code, enumerable: true })
  if (wire.cause !== undefined) Object.defineProperty(error, 'cause', { ...hidden, value: fromWire(wire.cause) })
  return error
}

/** What an error says, as one line. */
export function messageOf(wire: WireError): string {
  return 'message' in wire ? wire.message : 'value' in wire ? String(wire.value) : 'undefined'
}

function shown(thrown: unknown): WireError {
  const { name, message } = errorText(thrown)
  return { name, message }
}

/** Without the first lines, which say the message again. */
function framesOf(stack: string): string {
  const at = stack.indexOf('\n    at ')
  return at < 0 ? '' : stack.slice(at, at + MOST_TEXT)
}

function read(value: unknown, key: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>>)[key]
  } catch {
    // A getter that throws has nothing to say.
    return undefined
  }
}
