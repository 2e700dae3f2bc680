/**
 * Parts of Node that most workers never need, loaded at their first use. `node:crypto` brings about 3 MiB of memory with it,
 * an `import` of `node:util` as much (it loads whatever that module exports), `node:zlib` half a MiB: together as much as
 * everything else that an idle worker holds above a bare Node (Node 24.21, PSS).
 */
type Crypto = typeof import('node:crypto')
type PerfHooks = typeof import('node:perf_hooks')
type Util = typeof import('node:util')
type Zlib = typeof import('node:zlib')

let crypto: Crypto | undefined
let util: Util | undefined
let zlib: Zlib | undefined

/** `node:crypto`. */
export function nodeCrypto(): Crypto {
  crypto ??= process.getBuiltinModule('node:crypto')
  return crypto
}

/** `node:util`. */
export function nodeUtil(): Util {
  util ??= process.getBuiltinModule('node:util')
  return util
}

/** `node:perf_hooks`. */
export function nodePerfHooks(): PerfHooks {
  return process.getBuiltinModule('node:perf_hooks')
}

/** How `console.log` and `inspect` ask an object to describe itself: `inspect.custom` of `node:util`. */
export const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** `node:zlib`. */
export function nodeZlib(): Zlib {
  zlib ??= process.getBuiltinModule('node:zlib')
  return zlib
}
