/** docs/production.md shows the files of examples/production, and what they run is there. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands/work.ts'
import { lacks } from '../support/needs.ts'
import { tempDir } from '../support/temp-store.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

test.each(['millrace.service', 'Dockerfile', '.dockerignore', 'kubernetes.yaml'])(
  'the page shows %s as it is',
  (name) => {
    expect(read('docs/production.md')).toContain(read(`examples/production/${name}`))
  },
)

test('the flags of the unit and of the image are there', () => {
  const known = COMMANDS.flatMap(({ options = [] }) => options.map(([flags]) => flags.split(' ')[0]))
  const unit = /^ExecStart=(.*)$/m.exec(read('examples/production/millrace.service'))?.[1] ?? ''
  const image: readonly string[] = JSON.parse(/^CMD (.*)$/m.exec(read('examples/production/Dockerfile'))?.[1] ?? '')

  for (const words of [unit.split(' '), image]) {
    const flags = words.filter((word) => word.startsWith('--'))
    expect(flags.length).toBeGreaterThan(2)
    expect(flags.filter((flag) => !known.includes(flag))).toEqual([])
  }
})

test('the manifest gives a pod longer to stop than a worker takes', () => {
  const seconds = /terminationGracePeriodSeconds: (\d+)/.exec(read('examples/production/kubernetes.yaml'))?.[1]

  // 20 s for what runs, 5 s for what was aborted.
  expect(Number(seconds)).toBeGreaterThan(25)
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
test.skipIf(lacks('systemd-analyze', hasSystemd))('systemd takes the unit (needs: systemd-analyze)', () => {
  const path = join(tempDir(), 'millrace.service')
  // Programs and users of a machine that is not this one.
  const unit = read('examples/production/millrace.service')
    .replace(/^ExecStart=\S+/m, 'ExecStart=/bin/sh')
    .replace(/^User=.*$/m, 'User=root')
  writeFileSync(path, unit)

  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })

  expect(status, stderr).toBe(0)
  expect(stderr.split('\n').filter((line) => line.includes('millrace.service'))).toEqual([])
})
