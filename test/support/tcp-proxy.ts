/** A TCP proxy of the tests' own before a server, which does to connections what networks do. */
import { createServer, Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** `up`: what a client sends to the server. `down`: what the server answers. */
export type Direction = 'up' | 'down'

/** How bytes travel. */
export interface Weather {
  /** Each piece comes so much later. */
  readonly delayMs?: number
  /** And up to so much later still, at random, never before the piece before it. */
  readonly jitterMs?: number
  /** No piece is longer. */
  readonly pieceBytes?: number
}

/** A proxy that runs until the test has finished. */
export interface TcpProxy {
  readonly port: number
  /** How many connections are open. */
  readonly open: number
  /** How many bytes have come, in each direction. */
  readonly bytes: Readonly<Record<Direction, number>>
  /** Stops to forward, or goes on. What came meanwhile is lost. New connections are taken, and hear nothing. */
  setSilent(isSilent: boolean): void
  /** The first connection on which a client says this is silent from then on, that included. Once. */
  silenceAt(word: string): void
  /** Has the server told these words, as many letters long, where a client says those. */
  replace(words: string, others: string): void
  /** Cuts the connection that brings the byte after so many more in a direction, with exactly those forwarded. Once. */
  cutAfter(direction: Direction, bytes: number): void
  /** Whether a cut was armed and has not happened. */
  readonly isArmed: boolean
  setWeather(weather: Weather): void
  /** Connections from now on lead to the server of another URL on the same host, as behind an address that moves. */
  leadTo(url: string): void
  /** Ends every connection: `end` both sides, `reset` with an RST, `half` only towards the client. Returns how many. */
  cut(how?: 'end' | 'reset' | 'half'): number
}

/** Starts a proxy before the server of a URL, and gives it with the same URL through it. */
export async function startProxyTo(url: string): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
  const through = new URL(url)
  const proxy = await startTcpProxy(through.hostname, portOf(url))
  through.port = String(proxy.port)
  return { proxy, url: through.href }
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url)
  return Number(port || (protocol === 'mysql:' ? 3306 : 5432))
}

/** Starts a proxy before `host:port`. */
export async function startTcpProxy(host: string, port: number): Promise<TcpProxy> {
  let farPort = port
  const pairs = new Set<readonly [near: Socket, far: Socket]>()
  const bytes = { up: 0, down: 0 }
  let isSilent = false
  let dreaded: string | undefined
  let replaced: readonly [words: string, others: string] | undefined
  let armed: { readonly direction: Direction; left: number } | undefined
  let weather: Weather = {}
  const listener = createServer((near) => {
    const far = new Socket()
    const pair = [near, far] as const
    let isMute = false
    pairs.add(pair)
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
    }
    const end = () => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    const pass = (direction: Direction, to: Socket) => {
      const travel = traveller(() => weather)
      return (chunk: Buffer) => {
        bytes[direction] += chunk.length
        if (direction === 'up' && dreaded !== undefined && chunk.includes(dreaded)) {
          dreaded = undefined
          isMute = true
        }
        if (isSilent || isMute) return
        const at = direction === 'up' && replaced !== undefined ? chunk.indexOf(replaced[0]) : -1
        if (at >= 0) chunk.write(replaced?.[1] ?? '', at)
        if (armed?.direction === direction && chunk.length > armed.left) {
          const last = chunk.subarray(0, armed.left)
          armed = undefined
          // What was forwarded arrives before the end does.
          to.end(last, end)
          return
        }
        if (armed?.direction === direction) armed.left -= chunk.length
        travel(chunk, (piece) => to.write(piece))
      }
    }
    near.on('data', pass('up', far)).on('close', end)
    far.on('data', pass('down', near)).on('close', end)
    far.connect(farPort, host)
  })
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve)
  })
  const cut = (how: 'end' | 'reset' | 'half' = 'end') => {
    const count = pairs.size
    for (const [near, far] of pairs) {
      if (how === 'half') near.end()
      else if (how === 'reset') near.resetAndDestroy()
      else near.destroy()
      if (how !== 'half') far.destroy()
    }
    return count
  }
  onTestFinished(() => {
    cut()
    listener.close()
  })
  const address = listener.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get open() {
      return pairs.size
    },
    bytes,
    setSilent(silent) {
      isSilent = silent
    },
    silenceAt(word) {
      dreaded = word
    },
    replace(words, others) {
      replaced = [words, others]
    },
    cutAfter(direction, left) {
      armed = { direction, left }
    },
    get isArmed() {
      return armed !== undefined
    },
    setWeather(next) {
      weather = next
    },
    leadTo(url) {
      farPort = portOf(url)
    },
    cut,
  }
}

/** Hands pieces on in order, each when the weather lets it arrive. */
function traveller(weather: () => Weather) {
  const travelling: { readonly at: number; readonly arrive: () => void }[] = []
  const arm = () => {
    const [first] = travelling
    if (first !== undefined) setTimeout(deliver, Math.max(0, first.at - performance.now()))
  }
  const deliver = () => {
    // A timer may fire up to a millisecond early.
    while (travelling[0] !== undefined && travelling[0].at <= performance.now() + 1) travelling.shift()?.arrive()
    arm()
  }
  return (chunk: Buffer, arrive: (piece: Buffer) => void) => {
    const { delayMs = 0, jitterMs = 0, pieceBytes } = weather()
    if (delayMs === 0 && jitterMs === 0 && travelling.length === 0) {
      arrive(chunk)
      return
    }
    const size = pieceBytes ?? chunk.length
    for (let from = 0; from < chunk.length; from += size) {
      const piece = chunk.subarray(from, from + size)
      const before = travelling.at(-1)?.at ?? 0
      const due = performance.now() + delayMs + Math.random() * jitterMs
      travelling.push({
        at: Math.max(due, before + (pieceBytes === undefined ? 0 : delayMs)),
        arrive: () => arrive(piece),
      })
      if (travelling.length === 1) arm()
    }
  }
}
