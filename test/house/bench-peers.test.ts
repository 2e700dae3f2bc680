/** Every peer on a server is measured at its defaults as well as at its best settings. */
import { describe, expect, test } from 'vitest'
import { peerKey, type Side } from '../../bench/scenario.ts'
import { scenarios } from '../../bench/scenarios.ts'
import { atDefaults, SAME_AT_DEFAULTS } from '../../bench/server-peers.ts'

const SERVERS = ['postgres', 'mysql'] as const
const WITH_DEFAULTS = ['a', 'b', 'c', 'd', 'e', 'f', 'h', 'load'] as const

describe.each(SERVERS)('the peers on %s', (store) => {
  test.each(WITH_DEFAULTS)(
    'have a side at their defaults in %s, or stand in the list of those who need none',
    (key) => {
      const peers = peersOf(store, key)
      const without = peers.filter((name) => !isAtDefaults(name) && !peers.includes(atDefaults(name)))

      expect(without.filter((name) => !isSame(name, key))).toEqual([])
    },
  )

  test.each(WITH_DEFAULTS)('are not measured twice in %s where their best settings are their defaults', (key) => {
    const peers = peersOf(store, key)

    expect(peers.filter((name) => isSame(name, key) && peers.includes(atDefaults(name)))).toEqual([])
  })

  test('are told nothing of the best settings at their defaults', () => {
    const told = sidesOf(store).filter(({ name }) => isAtDefaults(name))

    expect(told.length).toBeGreaterThan(0)
    expect(told.filter(({ settings }) => settings.tuned === true || settings.listens === true)).toEqual([])
  })

  test.each([true, false])('get whole jobs to do, quick or not (%s)', (quick) => {
    const counts = scenarios(store, quick).flatMap(({ id, sides }) =>
      sides.map(({ name, settings }) => ({ id, name, count: settings.count ?? 1 })),
    )

    expect(counts.filter(({ count }) => !Number.isInteger(count) || Number(count) < 0)).toEqual([])
  })

  test.each(['h', 'load', 'fleet', 'g', 'g-defaults'])(
    'of %s have their CPU in the table, and that of the server',
    (name) => {
      const lines = scenarios(store, false).flatMap((scenario) => scenario.lines)
      const figures = lines.filter(({ id }) => id.startsWith(`${name}.`)).map(({ figure }) => figure)

      expect(figures).toEqual(expect.arrayContaining(['cpuPer10k', 'serverPer10k']))
    },
  )
})

test('the list of those who need no side at their defaults names peers and scenarios that there are', () => {
  const names = SERVERS.flatMap((store) => sidesOf(store).map(({ name }) => name))
  const ids = SERVERS.flatMap((store) => scenarios(store, false).map(({ id }) => id))

  expect(SAME_AT_DEFAULTS.flatMap(({ peers }) => peers).filter((name) => !names.includes(name))).toEqual([])
  expect(SAME_AT_DEFAULTS.flatMap((same) => same.scenarios ?? []).filter((id) => !ids.includes(id))).toEqual([])
  expect(SAME_AT_DEFAULTS.filter(({ why }) => why === '')).toEqual([])
})

function sidesOf(store: (typeof SERVERS)[number]): readonly Side[] {
  return scenarios(store, false).flatMap(({ sides }) => sides)
}

function peersOf(store: (typeof SERVERS)[number], key: string): readonly string[] {
  const sides = scenarios(store, false).flatMap((scenario) => (scenario.key === key ? scenario.sides : []))
  return [...new Set(sides.filter((side) => peerKey(side) !== undefined).map(({ name }) => name))]
}

function isAtDefaults(name: string): boolean {
  return name.endsWith(atDefaults(''))
}

function isSame(name: string, key: string): boolean {
  return SAME_AT_DEFAULTS.some((same) => same.peers.includes(name) && (same.scenarios?.includes(key) ?? true))
}
