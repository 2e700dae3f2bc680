/** The rules of the layers as functions over source files; scripts/layers.json holds the table itself. */
import { importsOf, resolveRelative, type SourceFile } from './source.ts'

/** The table of layers, as scripts/layers.json writes it. */
export interface LayerTable {
  readonly layers: readonly {
    readonly folder: string
    readonly mayImport: readonly string[]
    readonly packages?: boolean
  }[]
  readonly drivers: readonly string[]
  readonly unitTestsMayAlsoImport: readonly string[]
  readonly startPath: { readonly from: string; readonly neverLoads: readonly string[] }
}

/** Every import that goes against the table, every cycle and every heavy package on the start path, one sentence each. */
export function layerFaults(files: readonly SourceFile[], table: LayerTable): string[] {
  const graph = edgesOf(files)
  return [...forbiddenImports(files, table), ...cycles(graph.all), ...heavyLoads(files, table)]
}

/** The layer a path under src/ belongs to: the longest folder of the table that holds it; `.` is src/ itself. */
export function layerOf(path: string, table: LayerTable): string | undefined {
  const inner = path.replace(/^src\//, '')
  if (!inner.includes('/')) return '.'
  return table.layers
    .map((layer) => layer.folder)
    .filter((folder) => inner.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0]
}

function forbiddenImports(files: readonly SourceFile[], table: LayerTable): string[] {
  const faults: string[] = []
  for (const file of files) {
    const folder = layerOf(file.path, table)
    const layer = table.layers.find((each) => each.folder === folder)
    if (layer === undefined) {
      faults.push(`${file.path}: its folder is in no layer; add it to scripts/layers.json`)
      continue
    }
    const isTest = file.path.endsWith('.test.ts')
    const allowed = new Set([layer.folder, ...layer.mayImport, ...(isTest ? table.unitTestsMayAlsoImport : [])])
    for (const { specifier, line } of importsOf(file.text)) {
      const target = resolveRelative(file.path, specifier)
      const where = `${file.path}:${line}`
      if (target === undefined) {
        if (specifier === 'millrace' || specifier.startsWith('millrace/')) {
          faults.push(`${where}: imports the package by its own name; name the file`)
        } else if (layer.packages === false && !isTest) {
          faults.push(`${where}: ${layer.folder}/ imports nothing from outside, but names '${specifier}'`)
        }
        continue
      }
      if (!target.startsWith('src/')) {
        if (!isTest) faults.push(`${where}: imports '${specifier}', which is outside src/ and is not published`)
        continue
      }
      const targetLayer = layerOf(target, table)
      if (targetLayer !== undefined && allowed.has(targetLayer)) continue
      const why =
        targetLayer !== undefined && table.drivers.includes(targetLayer)
          ? 'which is a concrete store'
          : 'which is not below it'
      faults.push(`${where}: ${layer.folder}/ may not import ${targetLayer ?? target}/, ${why}`)
    }
  }
  return faults
}

/** Every group of files that import each other in a ring, found by Tarjan's strongly connected components. */
export function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[] = []
  const visit = (node: string): void => {
    index.set(node, index.size)
    low.set(node, index.get(node) ?? 0)
    stack.push(node)
    for (const next of edges.get(node) ?? []) {
      if (!index.has(next)) {
        visit(next)
        low.set(node, Math.min(low.get(node) ?? 0, low.get(next) ?? 0))
      } else if (stack.includes(next)) {
        low.set(node, Math.min(low.get(node) ?? 0, index.get(next) ?? 0))
      }
    }
    if (low.get(node) !== index.get(node)) return
    const ring = stack.splice(stack.indexOf(node))
    if (ring.length > 1 || edges.get(node)?.includes(node)) found.push(`cycle: ${[...ring, node].join(' → ')}`)
  }
  for (const node of edges.keys()) if (!index.has(node)) visit(node)
  return found
}

function heavyLoads(files: readonly SourceFile[], table: LayerTable): string[] {
  const { from, neverLoads } = table.startPath
  const { loaded } = edgesOf(files)
  const cameFrom = new Map<string, string | undefined>([[from, undefined]])
  const faults: string[] = []
  for (const path of cameFrom.keys()) {
    for (const specifier of loaded.get(path)?.packages ?? []) {
      const name = neverLoads.find((heavy) => specifier === heavy || specifier.startsWith(`${heavy}/`))
      if (name !== undefined)
        faults.push(`start path loads ${name}: ${road(path, cameFrom)}; import it lazily where it is used`)
    }
    for (const next of loaded.get(path)?.files ?? []) if (!cameFrom.has(next)) cameFrom.set(next, path)
  }
  return faults
}

function road(path: string, cameFrom: ReadonlyMap<string, string | undefined>): string {
  const steps: string[] = []
  for (let at: string | undefined = path; at !== undefined; at = cameFrom.get(at)) steps.unshift(at)
  return steps.join(' → ')
}

function edgesOf(files: readonly SourceFile[]) {
  const all = new Map<string, string[]>()
  const loaded = new Map<string, { readonly files: string[]; readonly packages: string[] }>()
  for (const file of files) {
    const imports = importsOf(file.text).map((each) => ({
      ...each,
      target: resolveRelative(file.path, each.specifier),
    }))
    all.set(
      file.path,
      imports.flatMap((each) => each.target ?? []),
    )
    const values = imports.filter((each) => each.kind === 'value')
    loaded.set(file.path, {
      files: values.flatMap((each) => each.target ?? []),
      packages: values.filter((each) => each.target === undefined).map((each) => each.specifier),
    })
  }
  return { all, loaded }
}
