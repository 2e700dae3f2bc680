/**
 * Runs every check of the project side by side and prints one line for each: ✓ it holds, ✗ with what it said, – it has
 * nothing to look at yet. Ends with 1 when one failed. `node scripts/check.ts types lint` runs only those named.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { projectRoot } from './report.ts'

interface Step {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** The files without which the step has nothing to look at. */
  readonly needs?: readonly string[]
}

const STEPS: readonly Step[] = [
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'layers', command: ['node', 'scripts/check-layers.ts'] },
  { name: 'sizes', command: ['node', 'scripts/check-sizes.ts'] },
  { name: 'docstrings', command: ['node', 'scripts/check-docstrings.ts'] },
  { name: 'banned', command: ['node', 'scripts/check-banned.ts'] },
  {
    name: 'unused',
    command: ['knip', '--no-progress', '--no-config-hints'],
    needs: ['src/index.ts', 'src/cli/main.ts'],
  },
  { name: 'exports', command: ['node', 'scripts/check-exports.ts'], needs: ['src/index.ts'] },
  { name: 'generated', command: ['node', 'scripts/lifecycle-doc.ts', '--check'], needs: ['src/core/job/state.ts'] },
]

interface Outcome {
  readonly name: string
  readonly state: 'holds' | 'failed' | 'skipped'
  readonly said: string
}

const MARKS = { holds: '✓', failed: '✗', skipped: '–' } as const

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !STEPS.some((step) => step.name === name))
  if (unknown.length > 0) {
    console.error(`no check is called ${unknown.join(', ')}; there are ${STEPS.map((step) => step.name).join(', ')}`)
    process.exitCode = 2
    return
  }
  const running = STEPS.filter((step) => names.length === 0 || names.includes(step.name)).map(runStep)
  const outcomes: Outcome[] = []
  for (const each of running) {
    const outcome = await each
    outcomes.push(outcome)
    console.log(`${MARKS[outcome.state]} ${outcome.name}${outcome.state === 'skipped' ? ` (${outcome.said})` : ''}`)
    if (outcome.state !== 'skipped' && outcome.said !== '') console.log(outcome.said.replace(/^/gm, '    '))
  }
  if (outcomes.some((outcome) => outcome.state === 'failed')) process.exitCode = 1
}

async function runStep({ name, command, needs = [] }: Step): Promise<Outcome> {
  const missing = needs.filter((path) => !existsSync(join(projectRoot, path)))
  if (missing.length > 0) return { name, state: 'skipped', said: `not there yet: ${missing.join(', ')}` }
  const { code, output } = await run(command)
  if (code !== 0) return { name, state: 'failed', said: output || `${command.join(' ')} ended with ${code}` }
  return {
    name,
    state: 'holds',
    said: output
      .split('\n')
      .filter((line) => line.startsWith('warning:'))
      .join('\n'),
  }
}

function run([program, ...rest]: readonly [string, ...string[]]): Promise<{ code: number | null; output: string }> {
  const tools = join(projectRoot, 'node_modules', '.bin')
  return new Promise((resolve) => {
    const child = spawn(program === 'node' ? process.execPath : program, rest, {
      cwd: projectRoot,
      env: { ...process.env, PATH: `${tools}${delimiter}${process.env.PATH ?? ''}`, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const keep = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => resolve({ code: null, output: `${program} could not be started: ${error.message}` }))
    child.on('close', (code) => resolve({ code, output: output.trim() }))
  })
}

await main(process.argv.slice(2))
