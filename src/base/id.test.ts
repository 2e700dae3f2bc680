import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { newId, newWorkerId } from './id.ts'

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const digitsOf = (id: string) => id.replaceAll('-', '')

describe('an id', () => {
  it('is a UUIDv7 of RFC 9562: the millisecond, version 7, variant 10', () => {
    const id = newId(0x7fff_0000_0001)

    expect(id).toMatch(V7)
    expect(digitsOf(id).slice(0, 12)).toBe('7fff00000001')
  })

  it('is greater than the one before, within a millisecond, past 4,096 of one, and when the clock goes back', () => {
    const now = 0x7fff_1000_0000
    const ids = Array.from({ length: 20_000 }, (_, i) => newId(i < 10_000 ? now : now - 5000))

    expect(ids.every((id, i) => i === 0 || id > (ids[i - 1] ?? ''))).toBe(true)
    expect(ids.every((id) => V7.test(id))).toBe(true)
  })

  it('has 62 random bits behind the variant: each is set in about half of the ids', () => {
    const tails = Array.from({ length: 4000 }, () => BigInt(`0x${digitsOf(newId()).slice(16)}`) & ((1n << 62n) - 1n))
    for (let bit = 0n; bit < 62n; bit++) {
      const set = tails.filter((tail) => (tail >> bit) & 1n).length
      // 4,000 fair coins lie outside of this once in 10^30 runs.
      expect(set, `bit ${bit}`).toBeGreaterThan(1600)
      expect(set, `bit ${bit}`).toBeLessThan(2400)
    }
    expect(new Set(tails).size).toBe(tails.length)
  })

  it('is another one in every process, also for the same milliseconds', async () => {
    const script = `import { newId } from ${JSON.stringify(new URL('./id.ts', import.meta.url).href)}
for (let ms = 0; ms < 20; ms++) for (let i = 0; i < 1000; i++) console.log(newId(0x7fff20000000 + ms))`
    const outputs = await Promise.all([output(script), output(script), output(script)])
    const ids = outputs.flatMap((text) => text.trim().split('\n'))

    expect(ids).toHaveLength(60_000)
    expect(new Set(ids.map((id) => digitsOf(id).slice(0, 12))).size).toBe(20)
    expect(new Set(ids).size).toBe(60_000)
  })
})

describe("a worker's id", () => {
  it('has the same form, and differs between workers of one process in one millisecond', () => {
    const ids = Array.from({ length: 1_000 }, () => newWorkerId(0x7fff_3000_0000))

    for (const id of ids) expect(id).toMatch(V7)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

function output(script: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  return new Promise((done) => child.on('close', () => done(text)))
}
