/** What is measured on every store of `millrace work --processes` (bench/sides/node.js) and of isolates. There is no peer beside them. */
import type { Scenario, Side, Sizes } from './scenario.ts'

/** The scenarios of a node. `settings`: what its store is told. */
export function nodeScenarios({ jobs, seconds }: Sizes, settings: Readonly<Record<string, unknown>>): Scenario[] {
  const node = (name: string, scenario: string, told: Readonly<Record<string, unknown>>): Side => {
    return { name, script: 'node', settings: { ...settings, scenario, side: 'millrace', concurrency: 10, ...told } }
  }
  const shown = jobs.toLocaleString('en')
  const waits = { count: seconds * 20_000, seconds, processes: 2, does: 'waits', runMs: 5 }
  const computes = { count: seconds * 100, does: 'computes', runMs: 10, concurrency: 1 }
  return [
    {
      key: 'n',
      id: 'n-start',
      sides: [node('Millrace', 'start', { processes: 2 })],
      lines: [{ id: 'n-start', title: 'work --processes 2, start to first job', figure: 'ms', unit: 'ms' }],
    },
    {
      key: 'n',
      id: 'n-memory',
      sides: [node('Millrace', 'memory', { processes: 4, count: jobs })],
      lines: [
        { id: 'n-memory.idle', title: 'PSS of one of four workers, idle', figure: 'idle', unit: 'MiB' },
        { id: 'n-memory.idle-own', title: 'of that its alone', figure: 'idlePrivate', unit: 'MiB' },
        {
          id: 'n-memory.after',
          title: `PSS of one of four workers, after ${shown} jobs`,
          figure: 'after',
          unit: 'MiB',
        },
        { id: 'n-memory.after-own', title: 'of that its alone', figure: 'afterPrivate', unit: 'MiB' },
      ],
    },
    {
      key: 'n',
      id: 'n-rolling',
      sides: [node('Millrace', 'rolling', waits)],
      lines: [
        { id: 'n-rolling', title: 'rate while both workers are replaced, of that before', figure: 'share', unit: '×' },
      ],
    },
    {
      key: 'n',
      id: 'n-recycle',
      sides: [node('Millrace', 'rate', { ...waits, flags: ['--max-jobs', '4000'] }), node('without', 'rate', waits)],
      lines: [{ id: 'n-recycle', title: 'each worker replaced every 4,000 jobs', figure: 'perSecond', unit: '/s' }],
    },
    {
      key: 'n',
      id: 'n-compute',
      sides: [
        node('Millrace', 'drain', { ...computes, processes: 4 }),
        node('one process', 'drain', { ...computes, processes: 1 }),
      ],
      lines: [
        { id: 'n-compute', title: 'jobs that compute for 10 ms, four processes', figure: 'perSecond', unit: '/s' },
      ],
    },
  ]
}

/** Of each kind of isolate: its cost for a job when it is warm, and the first job of a worker. */
export function isolates({ pulses }: Sizes, settings: Readonly<Record<string, unknown>>): Scenario[] {
  return (['thread', 'process'] as const).map((kind) => ({
    key: 'isolate',
    id: `isolate-${kind}`,
    sides: [{ name: 'Millrace', script: 'isolate', settings: { ...settings, count: pulses * 10, kind } }],
    lines: [
      { id: `isolate-${kind}`, title: `cost of a job in a warm ${kind}`, figure: 'cost', unit: 'ms' },
      { id: `isolate-${kind}.cold`, title: `first job, its ${kind} starting`, figure: 'cold', unit: 'ms' },
    ],
  }))
}
