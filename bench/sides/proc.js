/** What Linux tells of processes: the CPU and the memory of one with all beneath it. Elsewhere most of it is null. */
import { readdirSync, readFileSync } from 'node:fs'

/**
 * Begins to count the CPU of a process and of all beneath it, those that end meanwhile included. The result tells the seconds since
 * then, which Linux counts in hundredths; null where there is no such process, or Linux is not.
 */
export function cpuOf(pid) {
  const before = secondsOf(pid)
  return () => {
    const after = secondsOf(pid)
    return before === null || after === null ? null : after - before
  }
}

/**
 * The same of this process, to the microsecond but for those beneath it, which stay out where Linux is not. What the looking costs
 * is not in it.
 */
export function ownCpu() {
  const beneath = secondsBeneath(process.pid)
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    const since = beneath === null ? 0 : secondsBeneath(process.pid) - beneath
    return (user + system) / 1e6 + since
  }
}

/** The share of the memory of a process and of all beneath it that is theirs, in MiB: pages it shares count in parts. Null where Linux is not. */
export function pssOf(pid) {
  const [first, ...beneath] = familyOf(processes(), pid).map(pssAlone)
  // Who has no PSS among those beneath has just ended.
  return first === null ? null : beneath.reduce((sum, each) => sum + (each ?? 0), first)
}

function secondsOf(pid) {
  const all = processes()
  return all.has(pid) ? familyOf(all, pid).reduce((sum, id) => sum + all.get(id).own + all.get(id).ended, 0) : null
}

function secondsBeneath(pid) {
  const all = processes()
  if (!all.has(pid)) return null
  return familyOf(all, pid).reduce((sum, id) => sum + all.get(id).ended + (id === pid ? 0 : all.get(id).own), 0)
}

/** Every process by its id: its parent, and the CPU seconds of its own and of those children of it that have ended. */
function processes() {
  const all = new Map()
  for (const name of listed()) {
    const fields = statOf(name)
    if (fields === undefined) continue
    all.set(Number(name), { parent: Number(fields[1]), own: ticks(fields, 11), ended: ticks(fields, 13) })
  }
  return all
}

function listed() {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return [] // Another system.
  }
}

/** What stands in /proc/PID/stat behind the name, or undefined when the process has just ended. */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined // It ended between the listing and now.
  }
}

/** Two neighbours of user and system time, in seconds: Linux counts in hundredths. */
function ticks(fields, at) {
  return (Number(fields[at]) + Number(fields[at + 1])) / 100
}

/** A process and all beneath it, itself first. */
function familyOf(all, pid) {
  const family = [pid]
  // It grows while it is walked through: those beneath those beneath it.
  for (const each of family) for (const [id, { parent }] of all) if (parent === each) family.push(id)
  return family
}

function pssAlone(pid) {
  try {
    const kib = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]
    return kib === undefined ? null : Number(kib) / 1024
  } catch {
    return null // It has ended, another system, or a kernel that does not tell.
  }
}
