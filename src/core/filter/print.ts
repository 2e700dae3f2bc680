/** Filters as text: what `parseFilter` reads back to the same. */
import type { FilterTerm, FilterTerms } from './parse.ts'

/** Writes a filter in the grammar of `parseFilter`, quoting what needs it. */
export function printFilter(terms: FilterTerms): string {
  return terms.map(printTerm).join(' ')
}

function printTerm(term: FilterTerm): string {
  if (term.kind === 'word') return /^[^\s,":<>-][^\s,":<>]*$/.test(term.text) ? term.text : quoted(term.text)
  const head = `${term.not ? '-' : ''}${term.key}`
  if (term.kind === 'is') return `${head}:${term.values.map(printValue).join(',')}`
  return `${head}${term.kind === 'above' ? '>' : '<'}${printValue(term.value)}`
}

function printValue(value: string): string {
  return /^[^\s,"]+$/.test(value) ? value : quoted(value)
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
