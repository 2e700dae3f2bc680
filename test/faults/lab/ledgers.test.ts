/** Ledgers that several processes append to, some of which are killed in the midst of it. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { appendTo, type FaultLine, LedgerReader, pathOf, readLedger } from './ledgers.ts'

const kill = (pid: number): FaultLine => ({ kind: 'kill', pid, from: pid, to: null })

function ledger() {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-ledger-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return {
    folder,
    faults: appendTo(folder, 'faults'),
    cut: () => appendFileSync(pathOf(folder, 'faults'), '{"kind":"ki'),
  }
}

test('what is appended is read, at once or as it grows', () => {
  const { folder, faults } = ledger()
  const reader = new LedgerReader(folder, 'faults')

  faults.write(kill(1))
  expect(reader.lines()).toEqual([kill(1)])
  faults.write(kill(2))

  expect(reader.lines()).toEqual([kill(1), kill(2)])
  expect(readLedger(folder, 'faults')).toEqual([kill(1), kill(2)])
})

test('the first part of a line whose writer was killed is left out, in the midst and at the end', () => {
  const { folder, faults, cut } = ledger()
  const reader = new LedgerReader(folder, 'faults')

  faults.write(kill(1))
  cut()
  expect(reader.lines()).toEqual([kill(1)])
  faults.write(kill(2))
  cut()

  expect(reader.lines()).toEqual([kill(1), kill(2)])
  expect(readLedger(folder, 'faults')).toEqual([kill(1), kill(2)])
})
