/** The program of a worker process that `Millrace.supervise` has started. Signals are noted before anything else is loaded. */
const early: string[] = []
const note = (name: string) => void early.push(name)
const NAMES = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']
for (const name of NAMES) process.on(name, note)
const release = () => {
  for (const name of NAMES) process.removeListener(name, note)
}

const [{ runWorkerProgram }, { prepareWorker }, { outlastOutput }] = await Promise.all([
  import('./worker-program.ts'),
  import('./prepare-worker.ts'),
  import('../base/lost-output.ts'),
])
outlastOutput(`Worker process ${process.pid}`, 'pretty')
// The plan is the one that this version's `supervise` has made.
await runWorkerProgram((plan) => prepareWorker(plan as Parameters<typeof prepareWorker>[0]), { names: early, release })
