/** From the start of a process to the end of the first job, which waits in the file; and of a bare Node to its first line. */
import { join } from 'node:path'
import { appFolder, end, ended, printed, ROOT, role, run } from './processes.js'
import { finish, now, options } from './timing.js'

const { scenario, path, durability, side } = options

const SCENARIOS = {
  bare: async () => measure(['-e', 'console.log("first job done")'], 'first job done'),
  async library() {
    await ended(role('fill', { count: 1 }))
    const script = join(import.meta.dirname, `${side}.js`)
    return measure([script, JSON.stringify({ ...options, scenario: undefined, role: 'first' })], 'first job done')
  },
  /** `millrace work` in an app's folder, its handlers in JavaScript as after a build. */
  async command() {
    await ended(role('fill', { count: 1 }))
    const { folder } = appFolder(`sqlite:${path}?durability=${durability}`, 'js')
    return measure([join(ROOT, 'bin/millrace.js'), 'work', '--log', 'json'], '"event":"job.settled"', folder)
  },
}

async function measure(args, text, cwd = process.cwd()) {
  const start = now()
  const child = run(process.execPath, args, { cwd })
  await printed(child, text)
  const ms = now() - start
  await end(child)
  return { ms }
}

finish(await SCENARIOS[scenario]())
