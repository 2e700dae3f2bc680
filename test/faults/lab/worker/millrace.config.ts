/** How the workers of a run work, as the environment says. */
import type { MillraceConfig } from '../../../../src/runtime/config.ts'
import { createKeyRing } from './library.ts'

const {
  MILLRACE_LAB_LEASE_MS: leaseMs = '2000',
  MILLRACE_LAB_STOP_MS: stopMs = '20000',
  MILLRACE_LAB_GRACE_MS: graceMs = '200',
  MILLRACE_LAB_PREFETCH: prefetch,
  MILLRACE_LAB_KEYS: keys,
  MILLRACE_LAB_SUPERVISED: supervised,
} = process.env

const config: MillraceConfig = {
  handlers: ['./handlers.ts', './runaways.ts'],
  worker: {
    lease: Number(leaseMs),
    heartbeat: Math.round(Number(leaseMs) / 8),
    poll: '20ms',
    grace: Number(graceMs),
    stopWithin: Number(stopMs),
    // Who has a supervisor gives up without the store, as users' workers do, and is started again.
    restart: supervised === undefined,
    ...(prefetch !== undefined && { maxPrefetch: Number(prefetch) }),
  },
  ...(keys !== undefined && { encryption: { keys: createKeyRing(JSON.parse(keys)), requireEncryption: true } }),
}

export default config
