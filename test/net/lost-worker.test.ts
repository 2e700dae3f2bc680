/** F-15 for a process of `millrace work`: the server falls silent, and it ends with what its config says, or goes on. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { appFolder } from '../support/app-folder.ts'
import { type Child, startChild } from '../support/child.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS, type TestServer } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

const LEASE_MS = 1_000
/** Ending takes a moment: aborted handlers, a goodbye that nobody hears. Far less than a call's deadline of 30 s. */
const END_MS = 4_000
const WAIT = { timeout: 40_000, interval: 10 }
/** Notes its begin and the abort that it waits for. */
const HANDLER = `import { defineJob } from 'millrace'
import { appendFileSync } from 'node:fs'
const note = (word) => appendFileSync(new URL('../ran', import.meta.url), word + '\\n')
let runs = 0
export default defineJob({ name: 'held', run: async (_, { signal }) => {
  note('begun')
  if (++runs > 1) return 'again'
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  note('aborted')
} })`
const held = defineJob<undefined>({ name: 'held' })

interface App {
  readonly worker: Child
  ran(): readonly string[]
}

function startWork(store: string, more: string): App {
  const folder = appFolder()
  mkdirSync(join(folder, 'jobs'))
  writeFileSync(join(folder, 'jobs/held.handler.mjs'), HANDLER)
  const config = join(folder, 'millrace.config.mjs')
  const worker = `{ lease: '${LEASE_MS}ms', ${more} }`
  writeFileSync(config, `export default { store: '${store}', handlers: './jobs/*.mjs', worker: ${worker} }`)
  const bin = join(folder, 'node_modules/millrace/bin/millrace.js')
  const log = join(folder, 'ran')
  return {
    worker: startChild(bin, ['work', '--config', config]),
    ran: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
  }
}

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    it('a process whose server stays silent ends by itself after three leases; with `restart` it works again when it is heard', async () => {
      const [ending, lasting] = await Promise.all([begunOn(server, ''), begunOn(server, 'restart: true', '1000')])

      for (const { proxy } of [ending, lasting]) proxy.setSilent(true)
      const begun = performance.now()

      const { code, stderr } = await ending.worker.ended
      const ms = performance.now() - begun
      expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('STORE_UNREACHABLE') })
      expect(ms).toBeLessThan(3 * LEASE_MS + END_MS)
      expect(ending.ran()).toEqual(['begun', 'aborted'])
      // Time has to pass here: the one with `restart` has to live through more leases of silence than ended the other.
      await expect.poll(() => performance.now() - begun, WAIT).toBeGreaterThan(4 * LEASE_MS)
      for (const { proxy } of [ending, lasting]) proxy.setSilent(false)

      expect(await lasting.job.result({ timeout: '20s' })).toBe('again')
      expect(lasting.ran()).toEqual(['begun', 'aborted', 'begun'])
      lasting.worker.signal('SIGTERM')
      expect((await lasting.worker.ended).code).toBe(0)
      // Whoever is left takes over what the other had.
      const taken = defineJob({ name: 'held', run: (_: undefined) => 'taken over' })
      ending.mill.work([taken], { poll: '20ms', lease: '1s' })
      expect(await ending.job.result({ timeout: '20s' })).toBe('taken over')
    }, 60_000)
  })
}

/** A process at work on a job, behind a proxy. */
async function begunOn(server: TestServer, options: string, deadline = '30000') {
  const direct = await freshStoreUrl(server, { deadline })
  const { proxy, url } = await startProxyTo(direct)
  const mill = await openMill({ store: direct })
  const job = await mill.enqueue(held, undefined)
  const app = startWork(url, options)
  await expect.poll(app.ran, WAIT).toEqual(['begun'])
  return { ...app, proxy, mill, job }
}
