/** One real worker in a process of the simulation: its settings from the plan, its handlers, and what it tells written down. */
import { Telemetry } from '../../../src/base/telemetry.ts'
import type { Codec } from '../../../src/codec/codec.ts'
import { Registry } from '../../../src/job/registry.ts'
import { type Supervision, WorkerHandle } from '../../../src/runtime/worker-handle.ts'
import type { Store } from '../../../src/store/contract/index.ts'
import { type WorkerOptions, workerSettings } from '../../../src/worker/options.ts'
import { Chance } from './chance.ts'
import { type HandlerParts, handlerOf } from './handlers.ts'
import { numberOf } from './ledgers.ts'
import type { Plan, SlotPlan } from './plan.ts'
import type { Wire } from './wire.ts'
import type { Actor } from './world.ts'

/** What a worker works in. */
export interface WorkerParts extends Omit<HandlerParts, 'actor' | 'onKill'> {
  readonly plan: Plan
  /** The store as a process reaches it. */
  readonly storeOf: (actor: Actor) => Store
  readonly wire: Wire
  readonly codec: Codec
  /** Settings of the workers that are not the plan's. */
  readonly settings?: WorkerOptions
}

const DAY_MS = 86_400_000
const RETENTION = { completedMs: DAY_MS, failedMs: DAY_MS, cancelledMs: DAY_MS }

/** The worker of a process, not started yet. `onKill`: a handler of it ends that process. */
export function workerOf(
  actor: Actor,
  slot: SlotPlan,
  parts: WorkerParts,
  { supervision, onKill }: { readonly supervision: Supervision | undefined; readonly onKill: () => void },
): WorkerHandle {
  const { world, plan, storeOf, ledgers, wire, codec } = parts
  const { concurrency, maxPrefetch, queues, skewMs, pace } = slot
  const store = storeOf(actor)
  const telemetry = new Telemetry()
  telemetry.on('job.settled', (event) => {
    ledgers.told.push({ n: numberOf(event.jobId), at: world.now, worker: actor, event })
  })
  telemetry.on('lease.lost', () => wire.count('a worker noticed that a lease was lost'))
  telemetry.on('job.abandoned', ({ why }) => wire.count(`abandoned: ${why}`))
  return new WorkerHandle({
    id: actor.name,
    store,
    codec,
    clock: world.clockOf(actor, { skewMs, pace }),
    telemetry,
    registry: new Registry([handlerOf({ ...parts, actor, onKill })]),
    settings: workerSettings(
      {
        concurrency,
        maxPrefetch,
        lease: plan.leaseMs,
        poll: plan.pollMs,
        grace: plan.graceMs,
        stopWithin: plan.stopWithinMs,
        ...(queues !== null && { queues }),
        ...parts.settings,
      },
      store.capabilities,
    ),
    random: new Chance(plan.seed, 9, actor.key).next,
    retention: RETENTION,
    keyIds: () => [],
    health: { read: async () => null, stop: () => undefined },
    ...(supervision !== undefined && { supervision }),
  })
}
