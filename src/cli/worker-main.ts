/** The program of a worker process that `millrace work` has started. Signals are noted before anything else is loaded. */
const early: string[] = []
const note = (name: string) => void early.push(name)
const NAMES = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']
for (const name of NAMES) process.on(name, note)
const release = () => {
  for (const name of NAMES) process.removeListener(name, note)
}

const [{ runWorkerProgram }, { prepareWorker }, { load, ping }, { logEvents }, { outlastOutput }] = await Promise.all([
  import('../runtime/worker-program.ts'),
  import('../runtime/prepare-worker.ts'),
  import('./probe.ts'),
  import('./work-log.ts'),
  import('../base/lost-output.ts'),
])
await runWorkerProgram(
  async (plan) => {
    // The plan is the one that this version's `millrace work` has made. Every worker answers probes.
    const { log, quiet, ...work } = plan as import('./node-command.ts').CliPlan
    outlastOutput(`Worker process ${process.pid}`, log)
    const prepared = await prepareWorker(work, [ping, load])
    logEvents(prepared.mill, log, quiet)
    return prepared
  },
  { names: early, release },
)
