/** The end of a node whose store does not answer. */
import { expect, test } from 'vitest'
import { nodeApp } from '../support/node-app.ts'
import { until, workNode } from '../support/node-run.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

/** Far less than the 30 s that a call to the store may take. */
const SOON_MS = 5_000

await describeOn('postgres', (server) => {
  test('a node that says that it has stopped ends, and does not wait for a server that is silent', async () => {
    const direct = await freshStoreUrl(server)
    const { proxy, url } = await startProxyTo(direct)
    const app = await nodeApp("worker: { stopWithin: '100ms' }", direct)
    const node = workNode({ folder: app.folder, storeUrl: url }, '--processes 1')
    await node.ready(1)
    await until(async () => (await app.mill.workers()).length).toBe(1)
    const [row] = await app.mill.workers()
    // The supervisor itself has heard it, through a connection of its own.
    expect(await app.mill.askWorker(row?.node ?? '', 'pause')).toBe('done')

    proxy.setSilent(true)
    node.signal('SIGTERM')
    await node.said('Stopped.')
    const stoppedAt = performance.now()

    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect(performance.now() - stoppedAt).toBeLessThan(SOON_MS)
  }, 120_000)
})
