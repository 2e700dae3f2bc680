/**
 * The package's code as a few files. A worker process would otherwise load some 90 small modules, for which Node's module
 * loader keeps about 10 MiB and takes 40 ms: more than all else that an idle worker holds (Node 24.21). Packages stay outside,
 * and what is imported dynamically stays a file of its own, loaded when it is used.
 */
import { rolldown } from 'rolldown'
import manifest from '../package.json' with { type: 'json' }
import { projectRoot } from './report.ts'

/**
 * What every process loads: one file, since the chunks that sharing alone makes are many and tiny. The pools of isolates are loaded by
 * who needs them.
 */
const CORE =
  /[/\\]src[/\\](core|base|codec|job|client|maintenance|runtime|worker)[/\\](?!isolate[/\\](thread|process|isolate-process|guard))/

/** What only a supervisor or a health port needs: it brings node:child_process and node:http with it. Programs run when they are loaded. */
const APART =
  /[/\\]src[/\\](runtime[/\\](supervise|node-handle|health|health-server|worker-main)|worker[/\\]process[/\\](supervisor|watch|rescue|early|launch|worker-process|end-text))\.ts$/

/** What the first worker process is started with, before anything else is loaded. */
const EARLY = /[/\\]src[/\\]worker[/\\](node-flags|process[/\\]running-list)\.ts$/

/** What a command starts first, what supervisors start, see `programFile`, and what workers do, see src/worker/isolate/place.ts. */
const PROGRAMS = [
  'cli/early-worker',
  'cli/worker-main',
  'runtime/worker-main',
  'worker/isolate/thread',
  'worker/isolate/process',
]

/** Writes every entry of `exports` and the command into the folder, each under its own path, and beside them what they share. */
export async function bundle(into: string): Promise<void> {
  const files = Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.default]))
  const names = [...files.map((file) => file.replace(/^\.\/dist\/|\.js$/g, '')), 'cli/main', ...PROGRAMS]
  const build = await rolldown({
    cwd: projectRoot,
    input: Object.fromEntries(names.map((name) => [name, `src/${name}.ts`])),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !/^([/\\]|[A-Za-z]:)/.test(id),
  })
  await build.write({
    dir: into,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    codeSplitting: {
      groups: [
        { name: 'early', test: EARLY, priority: 1 },
        { name: 'core', test: (id) => CORE.test(id) && !APART.test(id) },
      ],
    },
    comments: { legal: false, annotation: true, jsdoc: false },
  })
  await build.close()
}
