/** The unit and the manifest of examples/production, by what they run: their own command lines in an app, with its paths and ports. */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { JOBS, type NodeApp, nodeApp } from '../support/node-app.ts'
import { type NodeRun, until, watchNode } from '../support/node-run.ts'

const read = (name: string) => readFileSync(resolve('examples/production', name), 'utf8')

/** Runs a command in the app's folder as a service manager does: with little more in its environment than it is told. */
function serve({ folder }: NodeApp, [file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): NodeRun {
  const { NODE_COMPILE_CACHE } = process.env
  return watchNode(
    spawn(file, args, {
      cwd: folder,
      env: {
        PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
        ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    }),
  )
}

test('what the unit starts works, is reloaded by its ExecReload, and ends with 0 by SIGTERM', async () => {
  const app = await nodeApp()
  const unit = read('millrace.service')
  const setting = (name: string) => new RegExp(`^${name}=(.+)$`, 'm').exec(unit)?.[1] ?? ''
  const home = setting('WorkingDirectory')
  const node = serve(app, setting('ExecStart').replaceAll(home, app.folder).split(' '), {
    MILLRACE_STORE: app.storeUrl,
  })
  await node.ready(4)
  const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
  await until(async () => (await app.mill.get(id))?.state).toBe('completed')
  expect(node.workers().map(({ pid }) => pid)).toContain(app.ran()[0]?.pid)

  expect(node.pid).toBeGreaterThan(1)
  const reload = spawnSync('sh', ['-c', setting('ExecReload')], { env: { MAINPID: String(node.pid) } })
  expect(reload.status, String(reload.stderr)).toBe(0)
  await node.event('process.replacing')
  // 20 s for what runs, 5 s for what was aborted.
  expect(Number(setting('TimeoutStopSec'))).toBeGreaterThan(25)
  // KillMode=mixed: of the processes of a unit only the first one gets it.
  expect(setting('KillMode')).toBe('mixed')
  node.signal('SIGTERM')

  expect(await node.ended).toEqual({ code: 0, signal: null })
}, 90_000)

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number }
}

interface Container {
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env: readonly { readonly name: string }[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly startupProbe: Probe
  readonly readinessProbe: Probe
  readonly livenessProbe: Probe
}

/** As far as it is looked at. */
interface Deployment {
  readonly kind: string
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: { readonly containers: readonly Container[] }
    }
  }
}

function manifest(): Deployment {
  // A part that is missing fails the test that looks at it.
  return parse(read('kubernetes.yaml')) as Deployment
}

test('what the container of the manifest runs answers each of its probes, at the port that they name', async () => {
  const app = await nodeApp()
  const { kind, spec } = manifest()
  const [container] = spec.template.spec.containers
  if (container === undefined) throw new Error('the manifest has no container')
  const image: readonly string[] = JSON.parse(/^CMD (.*)$/m.exec(read('Dockerfile'))?.[1] ?? '')
  const command =
    (container.command ?? container.args) ? [...(container.command ?? []), ...(container.args ?? [])] : image
  const after = (flag: string) => command[command.indexOf(flag) + 1]
  expect([kind, spec.template.metadata.labels]).toEqual(['Deployment', spec.selector.matchLabels])
  // A pod is asked at its own address, not at the one of its machine.
  expect(after('--health-host')).toBe('0.0.0.0')
  expect(container.env.map(({ name }) => name)).toEqual(['MILLRACE_STORE'])
  const { startupProbe, readinessProbe, livenessProbe } = container
  const probes = { startupProbe, readinessProbe, livenessProbe }
  for (const [name, { httpGet }] of Object.entries(probes)) {
    const port = container.ports.find((each) => each.name === httpGet.port)?.containerPort ?? httpGet.port
    expect(String(port), name).toBe(after('--health-port'))
  }

  const own = new Map([
    [after('--health-port'), '0'],
    [after('--health-host'), '127.0.0.1'],
  ])
  const node = serve(
    app,
    command.map((word) => own.get(word) ?? word),
    { MILLRACE_STORE: app.storeUrl },
  )
  await node.said(/Health: \S+/)
  const base = /Health: (http:\/\/\S+)\/healthz/.exec(node.stderr)?.[1]
  const ask = async ({ httpGet }: Probe) => (await fetch(`${base}${httpGet.path}`)).status

  await until(() => ask(startupProbe)).toBe(200)
  expect(await ask(readinessProbe)).toBe(200)
  expect(await ask(livenessProbe)).toBe(200)
  expect([readinessProbe, livenessProbe].map(({ httpGet }) => httpGet.path)).toEqual(['/readyz', '/livez'])
  node.signal('SIGTERM')

  expect(await node.ended).toEqual({ code: 0, signal: null })
}, 60_000)
