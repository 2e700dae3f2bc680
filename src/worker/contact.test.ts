import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { Telemetry } from '../base/telemetry.ts'
import { StoreError } from '../core/errors.ts'
import { Contact } from './contact.ts'

test('a back-off grows with each try of an exchange, not with the heartbeats that fail meanwhile', () => {
  const contact = new Contact(new ManualClock(), new Telemetry(), 90_000)
  const backOffs: number[] = []

  for (let i = 0; i < 3; i++) {
    for (let k = 0; k < 5; k++) contact.failed('heartbeat', new Error('away'))
    contact.failed('exchange', new Error('away'))
    backOffs.push(contact.backOffMs(1))
  }
  contact.succeeded('exchange')
  contact.failed('exchange', new Error('away again'))
  backOffs.push(contact.backOffMs(1))

  expect(backOffs).toEqual([50, 100, 200, 50])
})

test("the silence of a worker that asks seldom is not the store's: one failed call is no loss, half the time is left", () => {
  const clock = new ManualClock()
  const contact = new Contact(clock, new Telemetry(), 90_000)
  clock.advance(600_000)

  contact.failed('exchange', new Error('away'))
  expect([contact.isLost, contact.untilLostMs]).toEqual([false, 45_000])
  clock.advance(45_000)
  expect(contact.isLost).toBe(true)
})

const readOnly = () => new StoreError('transient', 'STORE_READ_ONLY', 'it takes no writes')
const MERE_LOOK = false

test('looks that a store answers while it takes no writes do not say that it is well, a write does', () => {
  const clock = new ManualClock()
  const telemetry = new Telemetry()
  let recovered = 0
  telemetry.on('store.recovered', () => recovered++)
  const contact = new Contact(clock, telemetry, 90_000)
  const look = (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      clock.advance(1_000)
      contact.succeeded('exchange', MERE_LOOK)
    }
  }

  look(200)
  contact.couldNotWrite('beat', readOnly())
  look(89)
  expect([contact.view, contact.isLost]).toEqual([{ storeAnsweredMs: 89_000, isStoreReadOnly: true }, false])
  look(1)
  expect([contact.isLost, recovered]).toEqual([true, 0])
  contact.wrote()
  look(1)
  expect([contact.view, contact.isLost, recovered]).toEqual([{ storeAnsweredMs: 0, isStoreReadOnly: false }, false, 1])
})

test.each([
  ['exchange', true],
  ['heartbeat', undefined],
])('an %s that wrote says that a store takes writes again', (operation, hasWritten) => {
  const clock = new ManualClock()
  const contact = new Contact(clock, new Telemetry(), 90_000)
  contact.couldNotWrite('beat', readOnly())
  clock.advance(60_000)

  contact.succeeded(operation, hasWritten)

  expect([contact.view, contact.isLost]).toEqual([{ storeAnsweredMs: 0, isStoreReadOnly: false }, false])
})

test.each([
  ['a row that somebody holds', new StoreError('transient', 'STORE_BUSY', 'locked')],
  ['a table that this user may not write', new StoreError('schema', 'STORE_READ_ONLY', 'forbidden')],
])('a row that could not be written for another reason, %s, is told and costs no worker its life', (_, error) => {
  const clock = new ManualClock()
  const telemetry = new Telemetry()
  const told: unknown[] = []
  telemetry.on('store.failed', (event) => told.push(event))
  const contact = new Contact(clock, telemetry, 90_000)

  contact.couldNotWrite('beat', error)
  clock.advance(200_000)

  expect(told).toEqual([{ operation: 'beat', error }])
  expect([contact.view.isStoreReadOnly, contact.isLost]).toEqual([false, false])
})

test('that the row could be written does not hide that nothing else is', () => {
  const clock = new ManualClock()
  const contact = new Contact(clock, new Telemetry(), 90_000)

  for (let i = 0; i < 9; i++) {
    contact.failed('exchange', new Error('no answer'))
    contact.wrote()
    clock.advance(10_000)
  }

  expect(contact.isLost).toBe(true)
})
