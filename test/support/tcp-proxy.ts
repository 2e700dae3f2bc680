/** A TCP proxy of the tests' own before a server: it can fall silent, its sockets open, or cut all of them. */
import { createServer, Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A proxy that runs until the test has finished. */
export interface TcpProxy {
  readonly port: number
  /** Stops to forward, or goes on. What came meanwhile is lost. */
  setSilent(isSilent: boolean): void
  /** Ends every connection. */
  cut(): void
}

/** Starts a proxy before `host:port`. */
export async function startTcpProxy(host: string, port: number): Promise<TcpProxy> {
  let isSilent = false
  const sockets = new Set<Socket>()
  const listener = createServer((near) => {
    const far = new Socket()
    far.connect(port, host)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => {
        if (!isSilent) to.write(chunk)
      })
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve)
  })
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    listener.close()
  })
  const address = listener.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    setSilent(silent) {
      isSilent = silent
    },
    cut,
  }
}
