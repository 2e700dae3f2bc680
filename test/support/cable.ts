/**
 * A cable between two machines as their kernels see it: two network namespaces, joined by a pair of virtual interfaces. This
 * machine's own network stays as it is, and nothing leaves it. What the near machine sends to the far one is passed on from there,
 * by a socket in a file, which every namespace has, to a server of the test's own. Unlike what a proxy swallows, what the cable loses
 * is sent again by the kernel for as long as it knows of the connection: it may arrive when the cable is mended, long after whoever
 * said it has given up. Root can have one, and whoever may make user namespaces.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Child, startChild } from './child.ts'

/**
 * What is the matter with the cable. Where all or the answers are lost, every interface is up and nobody is told anything, as behind
 * a switch that has died; the other end down: no carrier; this end down: the kernel says ENETUNREACH at once.
 */
export type Break = 'all is lost' | 'answers are lost' | 'the far end is down' | 'the near end is down'

/** A cable that works until it is broken. */
export interface Cable {
  /** Words before a command that is to run on the near machine. They become the command. */
  readonly near: readonly string[]
  /** Leads to the server of a URL. Gives what makes of the URL of a store there the one by which the near machine reaches it. */
  lead(url: string): Promise<(url: string) => string>
  break(how: Break): void
  /** Makes it work again, whatever was the matter. */
  mend(): void
  /** Takes both machines away, with all connections that were on it. Processes of the test's own must have ended. */
  remove(): Promise<void>
}

/** Addresses that are kept for examples, and hardware addresses of nobody's making. */
const NEAR = { address: '192.0.2.1', mac: '02:00:00:00:00:01' } as const
const FAR = { address: '192.0.2.2', mac: '02:00:00:00:00:02' } as const
const NOBODY = '02:00:00:00:00:03'
const ALWAYS_UP = 'link set lo up'
/** To whom frames for an address go. It is told, since asking for it, on a broken cable, would end in an error. */
const knows = (address: string, mac: string) => `neigh replace ${address} lladdr ${mac} dev cable nud permanent`
const WORKS = {
  near: ['link set cable up', knows(FAR.address, FAR.mac)],
  far: ['link set cable up', knows(NEAR.address, NEAR.mac)],
}
const BROKEN: Readonly<Record<Break, { readonly near?: string; readonly far?: string }>> = {
  'all is lost': { near: knows(FAR.address, NOBODY), far: knows(NEAR.address, NOBODY) },
  'answers are lost': { far: knows(NEAR.address, NOBODY) },
  'the far end is down': { far: 'link set cable down' },
  'the near end is down': { near: 'link set cable down' },
}
/** Where a system keeps `ip` from ordinary users' paths. */
const PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter)
/** Root in a container may be allowed none but in a user namespace. */
const IS_FREE = spawnSync('unshare', ['--net', 'true']).status === 0
const RELAY = join(import.meta.dirname, 'relay.ts')

/** Lays a cable; or says why there can be none. */
export async function layCable(): Promise<Cable | string> {
  const ends: (() => unknown)[] = []
  const remove = async () => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  const started = (child: Child) => child.line('listens ')
  const relay = (through: readonly string[], from: object, to: object) =>
    started(
      startChild(
        RELAY,
        [from, to].map((each) => JSON.stringify(each)),
        (end) => ends.push(end),
        { through },
      ),
    )
  try {
    const nearPid = await machine(['unshare', ...(IS_FREE ? [] : ['--user', '--map-root-user']), '--net'], ends)
    // Of the same user, or neither may reach into the other.
    const farPid = await machine([...into(nearPid), 'unshare', '--net'], ends)
    const [near, far] = [into(nearPid, '--net'), into(farPid, '--net')]
    ip(near, [`link add cable address ${NEAR.mac} type veth peer name cable address ${FAR.mac} netns ${farPid}`])
    ip(near, [`address add ${NEAR.address}/24 dev cable`, ALWAYS_UP])
    ip(far, [`address add ${FAR.address}/24 dev cable`, ALWAYS_UP])
    const mend = () => {
      ip(near, WORKS.near)
      ip(far, WORKS.far)
    }
    mend()
    return {
      near,
      async lead(url) {
        const { protocol, hostname, port } = new URL(url)
        const isMysql = protocol === 'mysql:'
        const folder = mkdtempSync(join(tmpdir(), 'millrace-cable-'))
        ends.push(() => rmSync(folder, { recursive: true, force: true }))
        const path = join(folder, 'socket')
        await relay([], { path }, { host: hostname, port: Number(port || (isMysql ? 3306 : 5432)) })
        const said = await relay(far, { host: FAR.address, port: 0 }, { path })
        return (store) => {
          const through = new URL(store)
          through.host = `${FAR.address}:${said.slice('listens '.length)}`
          // What is elsewhere is spoken to in secret, unless its URL says otherwise.
          through.searchParams.set(isMysql ? 'tls' : 'sslmode', isMysql ? 'off' : 'disable')
          return through.href
        }
      },
      break(how) {
        const { near: here, far: there } = BROKEN[how]
        if (here !== undefined) ip(near, [here])
        if (there !== undefined) ip(far, [there])
      },
      mend,
      remove,
    }
  } catch (error) {
    await remove()
    return error instanceof Error ? error.message : String(error)
  }
}

/** Words that bring a command to the machine of a process. */
function into(pid: number, ...more: readonly string[]): readonly string[] {
  const own = [...(IS_FREE ? [] : ['--user', '--preserve-credentials']), ...more]
  return own.length === 0 ? [] : ['nsenter', '--target', `${pid}`, ...own]
}

/** Makes a machine, by a process that stays on it until it is ended or this one is. Resolves with its pid when it is there. */
async function machine([command = '', ...words]: readonly string[], ends: (() => unknown)[]): Promise<number> {
  const child = spawn(command, [...words, 'cat'], { stdio: 'pipe' })
  const over = new Promise<void>((resolve) => child.once('close', () => resolve()))
  ends.push(() => {
    child.kill('SIGKILL')
    return over
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  child.stdin.on('error', () => undefined)
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => reject(new Error(`${command} ${words.join(' ')}: ${said.trim()}`)))
    // Whoever repeats it is there.
    child.stdout.once('data', () => resolve())
    child.stdin.write('\n')
  })
  return child.pid ?? -1
}

function ip([command = '', ...words]: readonly string[], lines: readonly string[]): void {
  const asked = { input: lines.join('\n'), env: { ...process.env, PATH } }
  const { status, stderr, error } = spawnSync(command, [...words, 'ip', '-batch', '-'], asked)
  if (status !== 0) throw new Error(`ip ${lines.join('; ')}: ${error?.message ?? stderr.toString().trim()}`)
}
