/** A database server of the tests' own, in a temporary folder, that a test may stop, kill and start again. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './until.ts'

/** `fast`: it ends its sessions and writes everything down. `immediate`: it leaves the rest to its recovery. `kill`: SIGKILL. */
export type StopKind = 'fast' | 'immediate' | 'kill'

/** A server that nobody else uses. */
export interface PrivateServer {
  /** The URL of its first database, as its administrator. */
  readonly url: string
  /** Its folder: of the user that it runs as, removed with it. */
  readonly folder: string
  /** Starts it again, resolves when it takes connections. */
  start(): Promise<void>
  /** Resolves when its process is gone. */
  stop(how: StopKind): Promise<void>
  /** Ends it and removes its folder. */
  remove(): Promise<void>
}

/** What differs between the kinds of server. */
export interface ServerProgram {
  readonly name: string
  readonly url: (port: number) => string
  /** Makes what it needs in the folder, by programs run through `run`. */
  readonly prepare: (folder: string, run: (program: string, args: readonly string[]) => void, port: number) => void
  readonly daemon: string
  readonly args: (folder: string, port: number) => readonly string[]
  readonly signals: Readonly<Record<StopKind, NodeJS.Signals>>
  /** Why it takes no connection; null when it does. */
  readonly failure: (url: string) => Promise<string | null>
}

const START_MS = 60_000
const running = new Set<ChildProcess>()
// A test run that is itself stopped leaves no server behind. PostgreSQL's own children end with it.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Makes a server and starts it, as an unprivileged user when this process is root: these servers refuse to run as root. */
export async function startPrivateServer(program: ServerProgram): Promise<PrivateServer> {
  const owner = unprivileged()
  const folder = mkdtempSync(join(tmpdir(), `millrace-${program.name}-`))
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  try {
    const port = await freePort()
    const run = (file: string, args: readonly string[]) => {
      execFileSync(file, args, { ...owner, stdio: 'ignore', cwd: folder, timeout: START_MS })
    }
    program.prepare(folder, run, port)
    const server = serverOf(program, folder, port, owner)
    await server.start()
    return server
  } catch (error) {
    remove()
    throw error
  }
}

function serverOf(program: ServerProgram, folder: string, port: number, owner: Owner | undefined): PrivateServer {
  const url = program.url(port)
  let child: ChildProcess | undefined
  const begin = () => {
    const begun = spawn(program.daemon, program.args(folder, port), { ...owner, stdio: 'ignore', cwd: folder })
    running.add(begun)
    begun.once('exit', () => running.delete(begun))
    child = begun
  }
  const server: PrivateServer = {
    url,
    folder,
    async start() {
      let failure: string | null = null
      const answers = async () => {
        // After SIGKILL it refuses to start while children of the one before are still about.
        if (child === undefined || hasEnded(child)) begin()
        failure = await program.failure(url)
        return failure === null
      }
      await until(answers, START_MS, () => `the private ${program.name} does not answer: ${failure}`)
    },
    async stop(how) {
      if (child === undefined || hasEnded(child)) return
      const stopping = child
      await new Promise<void>((resolve) => {
        stopping.once('exit', () => resolve())
        stopping.kill(program.signals[how])
      })
      child = undefined
    },
    async remove() {
      await server.stop('immediate')
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
  return server
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** The user that servers are run as; undefined: as this process's own. */
export function unprivileged(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody']).toString())
  return { uid: id('-u'), gid: id('-g') }
}

/** A port of this machine that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
