import { expect, test } from 'vitest'
import type { FromIsolate } from './message.ts'
import { Outbox } from './outbox.ts'

function outbox() {
  const sent: FromIsolate[] = []
  return {
    box: new Outbox(
      (message) => sent.push(message),
      () => 1_000,
    ),
    sent,
  }
}

test('the first line goes at once', () => {
  const { box, sent } = outbox()

  box.log('one', 'info')

  expect(sent).toEqual([{ kind: 'news', logs: [['info', 'one']] }])
})

test('what follows goes together, the latest progress with the newest lines, in order', () => {
  const { box, sent } = outbox()

  box.progress(0.1, undefined)
  for (let i = 0; i < 5_000; i++) box.log(`line ${i}`, 'info')
  box.progress(0.7, 'nearly')
  box.progress(0.8, undefined)
  box.flush()

  expect(sent).toHaveLength(2)
  expect(sent[1]).toMatchObject({ progress: 0.8, note: 'nearly' })
  const { logs } = sent[1] as Extract<FromIsolate, { kind: 'news' }>
  expect(logs).toHaveLength(1_000)
  expect(logs.at(-1)).toEqual(['info', 'line 4999'])
})

test('nothing is sent when nothing waits', () => {
  const { box, sent } = outbox()

  box.flush()
  box.progress(Number.NaN, undefined)

  expect(sent).toEqual([])
})
