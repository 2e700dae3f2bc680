import { describe, expect, test } from 'vitest'
import { countTests } from '../../scripts/counts.ts'
import { lifecyclePage } from '../../scripts/lifecycle-page.ts'
import { sizeFaults } from '../../scripts/sizes.ts'

describe('sizeFaults', () => {
  const file = (lines: number) => ({ path: 'src/a.ts', text: 'x\n'.repeat(lines) })

  test.each([
    [300, 0, 0],
    [301, 1, 0],
    [400, 1, 0],
    [401, 0, 1],
  ])('%i lines give %i warnings and %i faults', (lines, warnings, faults) => {
    const found = sizeFaults([file(lines)])

    expect([found.warnings.length, found.faults.length]).toEqual([warnings, faults])
  })
})

describe('countTests', () => {
  const report = (passed: number, failed: number, testResults: unknown[] = []) =>
    JSON.stringify({ numPassedTests: passed, numFailedTests: failed, testResults })

  test('takes the counts of the report', () => {
    expect(countTests(report(7, 0), 0)).toEqual({ passed: 7, failed: 0 })
  })

  test('counts a file that did not load as one failed', () => {
    expect(countTests(report(7, 0, [{ status: 'failed', assertionResults: [] }]), 1)).toEqual({ passed: 7, failed: 1 })
  })

  test('does not count a file twice whose tests failed', () => {
    const broken = { status: 'failed', assertionResults: [{ status: 'failed' }] }

    expect(countTests(report(7, 1, [broken]), 1)).toEqual({ passed: 7, failed: 1 })
  })

  test('counts an error that no test shows, and a run without a report', () => {
    expect(countTests(report(7, 0), 1)).toEqual({ passed: 7, failed: 1 })
    expect(countTests(undefined, 1)).toEqual({ passed: 0, failed: 1 })
  })
})

describe('lifecyclePage', () => {
  const page = lifecyclePage([
    { from: null, to: 'pending', verb: 'enqueue', when: 'it may run now' },
    { from: 'pending', to: 'processing', verb: 'claim', when: 'a worker | takes it' },
    { from: 'completed', to: 'deleted', verb: 'prune', when: 'its time is over' },
    { from: 'completed', to: 'deleted', verb: 'remove', when: 'asked for' },
  ])

  test('draws births, moves and deaths, one arrow for each pair of states', () => {
    expect(page).toContain(
      '  [*] --> pending: enqueue\n  pending --> processing: claim\n  completed --> [*]: prune, remove\n```',
    )
  })

  test('lists every move with its reason', () => {
    expect(page).toContain('| (new) | pending | enqueue | it may run now |')
    expect(page).toContain('| pending | processing | claim | a worker \\| takes it |')
  })
})
