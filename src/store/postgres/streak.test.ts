import { describe, expect, test } from 'vitest'
import type { ClaimRequest } from '../contract/index.ts'
import type { Columns } from '../sql/rows.ts'
import { Streak } from './streak.ts'

const ALL: ClaimRequest = { workerId: 'w', queues: 'all', names: ['n'], limit: 100, leaseMs: 1_000 }

function rows(count: number, queue = 'q', priority = 5, from = 0): readonly Columns[] {
  return Array.from({ length: count }, (_, i) => {
    const row: (string | number | null)[] = Array(19).fill(null)
    row[0] = `id-${String(from + i).padStart(4, '0')}`
    row[3] = queue
    row[4] = priority
    row[12] = 1_000 + from + i
    return row
  })
}

describe('claims that follow each other', () => {
  test('go on behind the last row of a claim from the head', () => {
    const streak = new Streak()

    streak.begin(ALL, rows(100), 0, 1)

    expect(streak.of(ALL, 99)).toEqual({
      claim: { ...ALL, queues: [{ queue: 'q', max: 100 }] },
      places: [{ priority: 5, runAt: 1_099, id: 'id-0099' }],
    })
  })

  test('share the limit among the queues that gave something', () => {
    const streak = new Streak()

    streak.begin(ALL, [...rows(50, 'a'), ...rows(50, 'b')], 0, 1)

    expect(streak.of(ALL, 1)?.claim.queues).toEqual([
      { queue: 'a', max: 50 },
      { queue: 'b', max: 50 },
    ])
  })

  test('begin at the head again after 100 ms, or ten times what that took', () => {
    const streak = new Streak()
    streak.begin(ALL, rows(100), 0, 1)
    expect(streak.of(ALL, 100)).toBeNull()

    streak.begin(ALL, rows(100), 100, 50)
    expect(streak.of(ALL, 599)).not.toBeNull()
    expect(streak.of(ALL, 600)).toBeNull()
  })

  test('move on with what they were given, and end when that was less than asked for', () => {
    const streak = new Streak()
    streak.begin(ALL, rows(100), 0, 1)

    streak.go(ALL, rows(100, 'q', 5, 100))
    expect(streak.of(ALL, 1)?.places).toEqual([{ priority: 5, runAt: 1_199, id: 'id-0199' }])

    streak.go(ALL, rows(99, 'q', 5, 200))
    expect(streak.of(ALL, 1)).toBeNull()
  })

  test('are at the last place of a queue in the order of the index, whatever the order of the rows', () => {
    const streak = new Streak()

    streak.begin(ALL, [...rows(50, 'q', 5), ...rows(50, 'q', 10)], 0, 1)

    expect(streak.of(ALL, 1)?.places).toEqual([{ priority: 5, runAt: 1_049, id: 'id-0049' }])
  })

  test('begin at the head when they are small, or ask a queue that gave nothing', () => {
    const streak = new Streak()
    streak.begin(ALL, rows(100), 0, 1)

    expect(streak.of({ ...ALL, limit: 31 }, 1)).toBeNull()
    expect(streak.of({ ...ALL, queues: [{ queue: 'other', max: 100 }] }, 1)).toBeNull()
  })
})
