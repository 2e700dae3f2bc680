/** All scenarios, in the order of the catalogue of faults. */
import type { Scenario } from './scenario.ts'
import { aba } from './scenarios/aba.ts'
import { block } from './scenarios/block.ts'
import { endless } from './scenarios/endless.ts'
import { fleetStop } from './scenarios/fleet-stop.ts'
import { hammer } from './scenarios/hammer.ts'
import { hurry } from './scenarios/hurry.ts'
import { kill } from './scenarios/kill.ts'
import { locked } from './scenarios/locked.ts'
import { nodeKill } from './scenarios/node-kill.ts'
import { pause } from './scenarios/pause.ts'
import { poison } from './scenarios/poison.ts'
import { rotation } from './scenarios/rotation.ts'
import { runaway } from './scenarios/runaway.ts'
import { snapshots } from './scenarios/snapshots.ts'
import { stall } from './scenarios/stall.ts'
import { stopStorm } from './scenarios/stop-storm.ts'
import { sudden } from './scenarios/sudden.ts'
import { zombie } from './scenarios/zombie.ts'

/** Faults that the laboratory brings about itself. */
export const SCENARIOS: readonly Scenario[] = [
  kill,
  nodeKill,
  zombie,
  aba,
  fleetStop,
  stopStorm,
  hurry,
  sudden,
  poison,
  block,
  stall,
  endless,
  runaway,
  pause,
  locked,
  hammer,
  snapshots,
  rotation,
]
