/** `millrace work` as the first process of a container, by what a container is made of here: process namespaces. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { lacks } from '../support/needs.ts'
import { JOBS, type NodeApp, nodeApp } from '../support/node-app.ts'
import { childrenOf, type NodeRun, until, watchNode } from '../support/node-run.ts'
import { nodeOnTerminal } from '../support/node-terminal.ts'
import { hasTerminal } from '../support/terminal.ts'

const NAMESPACE = ['-rpf', '--mount-proc', '--kill-child']
const hasNamespaces = spawnSync('unshare', [...NAMESPACE, 'true']).status === 0
const NEEDS = lacks('process namespaces (unshare -rpf)', hasNamespaces)

/** Starts a process that leaves another behind, which ends a moment later. */
const orphan = defineJob<{ readonly n: number }>({ name: 'orphan' })

test.skipIf(NEEDS)(
  'the first process of a container collects what others leave, passes signals on and ends as the node does',
  async () => {
    const app = await nodeApp()
    const container = contained(app, [
      'node',
      'node_modules/.bin/millrace',
      'work',
      '--processes',
      '1',
      '--log',
      'json',
    ])
    await container.ready(1)
    const [init = 0] = childrenOf(container.pid)

    for (let n = 0; n < 3; n++) await (await app.mill.enqueue(orphan, { n })).result({ timeout: '30s' })
    await until(() => app.ran().filter(({ sign }) => sign === 'gone').length).toBe(3)
    await until(() => zombiesOf(init)).toEqual([])
    process.kill(init, 'SIGUSR1')
    await container.event('node.status')
    process.kill(init, 'SIGTERM')

    expect(await container.ended).toMatchObject({ code: 0 })
  },
  60_000,
)

test.skipIf(NEEDS)(
  'the command of the Dockerfile works, and answers its probes',
  async () => {
    const app = await nodeApp()
    const dockerfile = readFileSync(resolve('examples/production/Dockerfile'), 'utf8')
    const command: readonly string[] = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '')
    const port = await freePort()
    const container = contained(
      app,
      command.map((word) => (word === '8080' ? String(port) : word === '0.0.0.0' ? '127.0.0.1' : word)),
    )
    await container.ready(2)

    await until(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200)
    const [init = 0] = childrenOf(container.pid)
    process.kill(init, 'SIGTERM')

    expect(await container.ended).toMatchObject({ code: 0 })
  },
  60_000,
)

test.skipIf(NEEDS)(
  'a password in the arguments is in those of no process of the container, and arrives',
  async () => {
    const app = await nodeApp()
    const command = 'node node_modules/.bin/millrace work --processes 1 --log json --store'.split(' ')
    // Nothing listens there: the store is named in what is said, and no server is needed.
    const container = contained(app, [...command, 'postgres://app:hunter2@127.0.0.1:9/shop'])
    await container.event('process.failing')

    const all = descendantsOf(container.pid)

    const shown = all.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
    expect(shown.join('\n')).toMatch(/^sh -c .+--store postgres:\/\/\*\*\*@127\.0\.0\.1:9\/shop/m)
    expect(shown.filter((line) => line.includes('hunter2') && !line.startsWith('unshare'))).toEqual([])
    expect(container.stdout).toContain('127.0.0.1:9')
    const [init = 0] = childrenOf(container.pid)
    const node = childrenOf(init, 'millrace')
    expect(node).toHaveLength(1)
    for (const worker of descendantsOf(node[0] ?? 0).slice(1))
      expect(environmentOf(worker), String(worker)).not.toContain('hunter2')
    process.kill(init, 'SIGTERM')
    expect(await container.ended).toMatchObject({ code: 0 })
  },
  60_000,
)

/** Makes a process the leader of the group that its terminal is in front of, as the first one of a container is, and becomes a command. */
const LEAD = `perl -MPOSIX=tcsetpgrp -e "setpgrp; \\$SIG{TTOU} = q(IGNORE); tcsetpgrp(0, getpgrp); exec @ARGV"`
const hasPerl = spawnSync('perl', ['-MPOSIX=tcsetpgrp', '-e', '1']).status === 0

test.skipIf(lacks('perl', hasPerl))(
  'a program that ends as soon as it is told to ends its container with its own code, each time',
  async () => {
    const bin = readFileSync(resolve('bin/millrace.js'), 'utf8')
    const [, lines = ''] = /^const INIT =\n((?: {2}'.*\n)+)/m.exec(bin) ?? []
    const init = [...lines.matchAll(/'(.*)'/g)].map(([, part = '']) => part.replaceAll('\\\\', '\\')).join('')
    // It says its own number, and is gone faster than Node ever is.
    const program = ['perl', '-e', '$SIG{TERM} = sub { exit 0 }; $| = 1; print "$$\n"; sleep 1 while 1']
    const codes: unknown[] = []
    for (let run = 0; run < 200; run++) {
      const shell = spawn('sh', ['-c', init, 'millrace', ...program], { stdio: ['ignore', 'pipe', 'inherit'] })
      const ended = once(shell, 'close')
      const [pid] = await once(shell.stdout, 'data')
      // The signal is to find both at rest.
      const isAtRest = (each: number) => / S /.test(readFileSync(`/proc/${each}/stat`, 'latin1'))
      await until(() => [shell.pid ?? 0, Number(pid)].every(isAtRest)).toBe(true)

      shell.kill('SIGTERM')

      codes.push(...(await ended))
    }
    expect(codes).toEqual(Array(200).fill([0, null]).flat())
  },
  60_000,
)

describe.skipIf(NEEDS || lacks('script, perl', hasTerminal && hasPerl))('on a terminal (needs: script, perl)', () => {
  test.each([
    ['Ctrl-C', true],
    ['the end of the terminal', true],
    ['Ctrl-C', false],
    ['the end of the terminal', false],
  ])(
    'the first process of a container takes %s once, with setsid: %s',
    async (what, hasSetsid) => {
      const app = await nodeApp()
      const own = join(app.folder, 'node_modules/.bin')
      const path = hasSetsid ? [own, process.env.PATH].join(delimiter) : own
      const work = `${process.execPath} node_modules/.bin/millrace work --processes 1`
      const contain = `unshare ${NAMESPACE.join(' ')} ${LEAD} /usr/bin/env PATH="${path}" ${work}`
      const node = nodeOnTerminal(app, `sh -c 'echo $$ >node.pid; exec ${contain}'`)
      const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 1_500 })
      await until(() => app.ran().length).toBe(1)

      if (what === 'Ctrl-C') node.type('\u0003')
      else node.closeTerminal()

      await until(() => node.exitCode()).not.toBe('')
      expect(node.exitCode(), node.text).toBe('0')
      expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1, losses: 0 })
      expect(app.ran()).toHaveLength(2)
    },
    60_000,
  )
})

/** A process with those that it has started, and theirs. */
function descendantsOf(pid: number): readonly number[] {
  return [pid, ...childrenOf(pid).flatMap(descendantsOf)]
}

/** What a process was started with; nothing when it has gone. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}

/** Runs a command as the first process of a namespace of its own, in the app's folder. */
function contained({ folder, storeUrl }: NodeApp, command: readonly string[]): NodeRun {
  const path = [join(folder, 'node_modules/.bin'), dirname(process.execPath), process.env.PATH].join(delimiter)
  return watchNode(
    spawn('unshare', [...NAMESPACE, ...command], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1', MILLRACE_STORE: storeUrl, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    }),
  )
}

/** Children that have ended and that nobody has collected. */
function zombiesOf(pid: number): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const [, state, parent] = /\) (\w) (\d+)/.exec(readFileSync(`/proc/${Number(name)}/stat`, 'latin1')) ?? []
      return state === 'Z' && Number(parent) === pid ? [Number(name)] : []
    } catch {
      return [] // No process, or gone meanwhile.
    }
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
