/** Starting the other processes of a measurement. They end with the process that started them. */
import { fork, spawn } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { options } from './timing.js'

export const ROOT = resolve(import.meta.dirname, '../..')
const started = new Set()

/** Another process of the same side and file, in a role. */
export function role(name, more = {}) {
  const script = join(import.meta.dirname, `${options.side}.js`)
  const child = fork(script, [JSON.stringify({ ...options, ...more, role: name, scenario: undefined })])
  return remember(child)
}

/** A program with its standard output to read. */
export function run(program, args, more = {}) {
  return remember(spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], ...more }))
}

/** Resolves when the process has ended well; rejects when it has not. */
export function ended(child) {
  return new Promise((done, fail) => {
    if (child.exitCode === 0) return done()
    child.once('exit', (code, signal) =>
      code === 0 ? done() : fail(new Error(`a process ended with ${code ?? signal}`)),
    )
  })
}

/** Resolves with the first message that has such a key; rejects when the process ends first. */
export function told(child, key) {
  return new Promise((done, fail) => {
    const gone = (code, signal) => fail(new Error(`a process ended with ${code ?? signal} before it told ${key}`))
    child.once('exit', gone)
    child.on('message', function listen(message) {
      if (!(key in message)) return
      child.off('message', listen)
      child.off('exit', gone)
      done(message[key])
    })
  })
}

/** Tells the process that started this one; resolves when the message is on its way, so that ending does not lose it. */
export function tell(message) {
  return new Promise((done, fail) => process.send(message, (error) => (error ? fail(error) : done())))
}

/** Resolves when the process has printed the text; rejects when it ends first. */
export function printed(child, text) {
  return new Promise((done, fail) => {
    let all = ''
    child.stdout.on('data', (chunk) => {
      all += chunk
      if (all.includes(text)) done()
    })
    child.once('exit', (code) => fail(new Error(`a process ended with ${code} before it printed ${text}: ${all}`)))
  })
}

/** Ends a process that has no more to say. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

/** An app of a user's own beside the database: a configuration, and one handler file in TypeScript or JavaScript. */
export function appFolder(url, language) {
  const folder = dirname(options.path)
  mkdirSync(join(folder, 'jobs'), { recursive: true })
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  symlinkSync(ROOT, join(folder, 'node_modules/millrace'))
  writeFileSync(join(folder, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n')
  const handlers = join(folder, `jobs/noop.handler.${language}`)
  const input = language === 'ts' ? '_input: { readonly id: number; readonly text: string }' : '_input'
  writeFileSync(
    join(folder, 'millrace.config.js'),
    `export default { store: ${JSON.stringify(url)}, handlers: './jobs/*.handler.${language}' }\n`,
  )
  writeFileSync(
    handlers,
    `import { defineJob } from 'millrace'\nexport default defineJob({ name: 'noop', run: async (${input}) => {} })\n`,
  )
  return { folder, handlers }
}

function remember(child) {
  started.add(child)
  child.once('exit', () => started.delete(child))
  return child
}

process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})
// Whoever started this process is gone: nobody waits for the result. The channel itself holds nothing open.
process.once('disconnect', () => process.exit(1))
process.channel?.unref()
