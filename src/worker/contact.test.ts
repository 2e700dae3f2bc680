import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { Telemetry } from '../base/telemetry.ts'
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
