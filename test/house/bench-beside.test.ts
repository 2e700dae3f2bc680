/** Which scenarios and which peers are measured: --only and --beside. */
import { describe, expect, test } from 'vitest'
import { argsOf } from '../../bench/args.ts'
import { peerKey } from '../../bench/scenario.ts'
import { besideOnly, isNamed, peerNames, scenarios } from '../../bench/scenarios.ts'

describe('--beside', () => {
  test('leaves of a scenario ours and the peers it names', () => {
    const pickup = scenarios('postgres', false).find(({ id }) => id === 'e')

    expect(pickup && besideOnly(pickup, ['graphile-worker']).sides.map(({ name }) => name)).toEqual([
      'Millrace',
      'graphile-worker',
    ])
  })

  test('takes away none of the sides of Millrace', () => {
    const alone = scenarios('sqlite', false).filter(({ sides }) => sides.every((side) => peerKey(side) === undefined))

    expect(alone.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['zod', 'i-kept', 'n-compute', 'f-work', 'stages']),
    )
    expect(alone.filter((scenario) => besideOnly(scenario, []).sides.length !== scenario.sides.length)).toEqual([])
  })

  test('refuses who is no peer on that store, and says who is', () => {
    expect(argsOf(['--store', 'postgres', '--beside', 'graphile-worker, bullmq-redis-fsync'])).toMatchObject({
      beside: ['graphile-worker', 'bullmq-redis-fsync'],
    })
    expect(argsOf(['--store', 'mysql', '--beside', 'graphile-worker'])).toBe(
      `--beside graphile-worker: no such peer here; there are ${peerNames('mysql').join(', ')}`,
    )
    expect(peerNames('sqlite')).toEqual(['plainjob', 'sidequest'])
  })
})

test('--only takes the id of a line, for the scenario that makes it', () => {
  const named = (name: string) => scenarios('postgres', false).filter((each) => isNamed(each, name))

  expect(named('g').map(({ id }) => id)).toEqual(['d100-kept'])
  expect(named('h.p99').map(({ id }) => id)).toEqual(['h'])
  expect(argsOf(['--store', 'postgres', '--only', 'g'])).toMatchObject({ only: ['g'] })
})
