/** Signals of `millrace work`: the first SIGTERM or SIGINT stops gracefully, the second one at once. */
import type { WorkerHandle } from '../runtime/worker-handle.ts'

/** What the bin noted before this code was loaded; see bin/millrace.js. */
interface EarlySignals extends Array<string> {
  release(): void
}

/** Takes the signals over from the bin and acts on those that came meanwhile. */
export function takeSignals(worker: WorkerHandle): { release(): void } {
  let stops = 0
  const onStop = () => {
    stops++
    // `done` tells how it ended.
    void worker.stop({ now: stops > 1 })
  }
  process.on('SIGTERM', onStop)
  process.on('SIGINT', onStop)
  const early = Reflect.get(globalThis, Symbol.for('millrace.signals')) as EarlySignals | undefined
  early?.release()
  for (const name of early ?? []) if (name === 'SIGTERM' || name === 'SIGINT') onStop()
  return {
    release() {
      process.removeListener('SIGTERM', onStop)
      process.removeListener('SIGINT', onStop)
    },
  }
}
