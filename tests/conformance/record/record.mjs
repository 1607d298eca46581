// Runs every program of ./programs on the real Express and writes what it
// answered to ../recorded/*.json. Run `npm ci` once, then `node record.mjs`.
// The output depends on nothing but the sources: no clock, no Math.random.

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { createRequire } from 'node:module'

// Both must be set before Express is loaded.
process.env.NODE_ENV = 'production'
process.env.NO_DEPRECATION = 'express,router'
// Express logs every unhandled error; the programs raise thousands on purpose.
console.error = () => {}

const { buildApp, registerAlone, notes } = await import('./lib/build.mjs')
const { exchange } = await import('./lib/client.mjs')
const { withTree } = await import('./lib/tree.mjs')

const OUT = new URL('../recorded/', import.meta.url)
const PROGRAMS = new URL('./programs/', import.meta.url)

// Headers that belong to the connection or the clock, not to the application.
const IGNORED_HEADERS = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding'])

// The whole error page of finalhandler; bodies store only the text inside.
const PAGE = [
  '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n' +
    '</head>\n<body>\n<pre>',
  '</pre>\n</body>\n</html>\n'
]

async function main() {
  await rm(OUT, { recursive: true, force: true })
  await mkdir(OUT, { recursive: true })
  const counts = {}
  for (const name of (await readdir(PROGRAMS)).sort()) {
    const { files } = await import(new URL(name, PROGRAMS))
    for (const [file, programs] of Object.entries(files)) {
      const table = new HeaderTable()
      const recorded = []
      for (const program of programs) recorded.push(await recordProgram(program, table))
      await writeFile(new URL(`${file}.json`, OUT), render(file, table.sets, recorded))
      counts[file] = {
        programs: recorded.length,
        answers: recorded.reduce((sum, { requests, registrations }) => sum + (requests ?? registrations).length, 0)
      }
    }
  }
  const total = Object.values(counts).reduce((sum, { answers }) => sum + answers, 0)
  const manifest = { versions: await versions(), total, files: counts }
  await writeFile(new URL('manifest.json', OUT), JSON.stringify(manifest, null, 1) + '\n')
  console.log(`${total} answers in ${Object.keys(counts).length} files`)
}

/** Interns header sets: a few dozen sets stand for thousands of answers. */
class HeaderTable {
  sets = []
  #known = new Map()

  index(headers) {
    const key = JSON.stringify(headers)
    if (!this.#known.has(key)) {
      this.#known.set(key, this.sets.length)
      this.sets.push(headers)
    }
    return this.#known.get(key)
  }
}

async function recordProgram(program, table) {
  if (program.registrations) {
    return {
      ...program,
      registrations: program.registrations.map((row) => ({ ...row, error: registrationError(row) }))
    }
  }
  const server = http.createServer(buildApp(program))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const requests = []
    for (const request of program.requests) {
      try {
        requests.push(await recordRequest(server.address().port, request, table))
      } catch (err) {
        throw new Error(`${program.name}: ${err.message}\n${JSON.stringify(program.stack)}`)
      }
    }
    const { keep, ...rest } = program
    return { ...rest, requests: keep ? longest(requests, keep) : requests }
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

/**
 * Of the many requests of a random program, the ones that ran the most
 * handlers, and a few of the others. The order stays.
 */
function longest(requests, keep) {
  const byLength = [...requests].sort((one, two) => two.trace.length - one.trace.length)
  const chosen = new Set(byLength.slice(0, Math.ceil(keep * 0.75)))
  for (const request of requests) {
    if (chosen.size >= keep) break
    chosen.add(request)
  }
  return requests.filter((request) => chosen.has(request))
}

function registrationError({ on, entry }) {
  try {
    registerAlone(on, entry)
    return null
  } catch (err) {
    // PathError does not set its own name, so its constructor's is taken.
    return { type: err.constructor.name, message: err.message }
  }
}

async function recordRequest(port, request, table) {
  notes.trace = []
  notes.method = request.method
  notes.target = request.target
  const { status, headers, body } = await exchange(port, request)
  // A handler may call next() after it has answered: let the walk finish.
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
  return {
    ...request,
    status,
    answer: table.index(shorten(headers, body)),
    body: shortenBody(body),
    trace: notes.trace
  }
}

/** Headers in alphabetical order, with what follows from the body as a word. */
function shorten(headers, body) {
  const kept = {}
  for (const name of Object.keys(headers).sort()) {
    if (!IGNORED_HEADERS.has(name)) kept[name] = headers[name]
  }
  if (kept['set-cookie']) kept['set-cookie'] = withoutClock(kept['set-cookie'])
  if (kept['content-length'] === String(body.length)) kept['content-length'] = '<length>'
  if (kept.etag === weakTag(body)) kept.etag = '<weak tag>'
  return kept
}

function weakTag(body) {
  const hash = createHash('sha1').update(body).digest('base64').slice(0, 27)
  return `W/"${body.length.toString(16)}-${hash}"`
}

/** Where Expires is Max-Age from now, the word `<from now>` stands for it. */
function withoutClock(cookies) {
  if (Array.isArray(cookies)) return cookies.map(withoutClock)
  return cookies.replace(/(Max-Age=(-?\d+).*; Expires=)([^;]+)/, (all, before, age, date) =>
    Math.abs(Date.parse(date) - Date.now() - age * 1000) < 5000 ? `${before}<from now>` : all
  )
}

function shortenBody(bytes) {
  const [head, tail] = PAGE
  const body = bytes.toString('utf8')
  if (!bytes.equals(Buffer.from(body))) return { base64: bytes.toString('base64') }
  return body.startsWith(head) && body.endsWith(tail) ? { page: body.slice(head.length, -tail.length) } : body
}

const MODULES = ['express', 'router', 'path-to-regexp', 'finalhandler', 'body-parser', 'qs', 'send', 'serve-static']
const OTHERS = ['cookie-parser', 'multer']

async function versions() {
  const require = createRequire(import.meta.url)
  // `router` and `finalhandler` as Express resolves them.
  const resolve = (name) => require.resolve(name, { paths: [require.resolve('express')] })
  const found = {}
  for (const name of [...MODULES, ...OTHERS]) {
    const [folder] = resolve(name).match(`^.*/node_modules/${name}/`)
    found[name] = JSON.parse(await readFile(`${folder}package.json`, 'utf8')).version
  }
  return found
}

/** JSON with one line per stack entry and per request, so that diffs read. */
function render(file, sets, programs) {
  const lines = (list) => list.map((item) => JSON.stringify(item)).join(',\n')
  const blocks = programs.map(({ stack, requests, registrations, ...rest }) => {
    const head = JSON.stringify(rest).slice(0, -1)
    return registrations
      ? `${head},"registrations":[\n${lines(registrations)}\n]}`
      : `${head},"stack":[\n${lines(stack)}\n],"requests":[\n${lines(requests)}\n]}`
  })
  return `{"file":${JSON.stringify(file)},"headers":[\n${lines(sets)}\n],"programs":[\n${blocks.join(',\n')}\n]}\n`
}

await withTree(main)
