/** A stall explains as much as it lasted, of its own process, and nothing else does. */
import { expect, test } from 'vitest'
import type { FaultLine } from './ledgers.ts'
import { withoutStalls } from './stalls.ts'

const PID = 7

function stall(from: number, to: number, pid = PID): FaultLine {
  return { kind: 'stall', pid, from, to }
}

test.each<[string, readonly FaultLine[], number]>([
  ['nothing', [], 300],
  ['a stall that began before, as far as it lasts', [stall(0, 1_120)], 180],
  ['one in the midst', [stall(1_100, 1_200)], 200],
  ['one that lasts beyond, as far as it had come', [stall(1_250, 9_000)], 250],
  ['two that overlap once', [stall(1_100, 1_200), stall(1_150, 1_220)], 180],
  ['two of which one holds the other', [stall(1_050, 1_250), stall(1_100, 1_150)], 100],
  ['one that is over before, or begins after, by nothing', [stall(0, 900), stall(1_300, 1_400)], 300],
  ['one of another process by nothing', [stall(0, 9_000, 8)], 300],
  ['a stop by nothing', [{ kind: 'stop', pid: PID, from: 0, to: 9_000 }], 300],
])('lateness is explained by %s', (_, faults, left) => {
  expect(withoutStalls(faults, PID, 1_000, 1_300)).toBe(left)
})
