// Random programs. Each file has its own seed and its own emphasis.

import { match } from 'path-to-regexp'

import { Generator } from '../lib/generate.mjs'
import { Random } from '../lib/random.mjs'

const PROFILES = {
  // name: [seed, programs, requests per program, profile]
  'random-routes': [101, 70, 14, { depth: 0, size: [4, 12], entries: { verb: 10, errors: 0.5 }, error: 0.3 }],
  'random-routers': [102, 80, 14, { depth: 4, size: [2, 5], entries: { mount: 5 }, error: 0.4 }],
  'random-errors': [103, 80, 12, { depth: 2, entries: { errors: 5, param: 0.5 }, error: 4 }],
  'random-params': [104, 80, 12, { depth: 2, entries: { param: 5, mount: 3 }, error: 0.5, mount: { merge: 0.7 } }],
  'random-rewrites': [105, 70, 12, { depth: 3, rewrite: 0.25, error: 0.5 }],
  'random-regexps': [106, 60, 12, { depth: 2, regexp: 0.6, mount: { merge: 0.7 }, error: 0.5 }],
  'random-sub-apps': [107, 60, 12, { depth: 3, options: 0.8, mount: { app: 0.8 }, error: 0.5 }],
  'random-mixed': [108, 80, 12, { depth: 4, regexp: 0.1, rewrite: 0.06, size: [3, 8], options: 0.5 }]
}

/** One pattern per program, tried as a route and as a prefix. */
function patterns() {
  const random = new Random(200)
  const generator = new Generator(random, {})
  return Array.from({ length: 120 }, (_, index) => {
    const { pattern, sample } = generator.pattern(4)
    const targets = new Set()
    for (let i = 0; i < 10; i++) targets.add(generator.mutate(sample() || '/', false))
    return {
      name: `random-patterns ${index + 1}: ${pattern}`,
      stack: [
        { method: 'get', path: pattern, nodes: [{ id: 'route', do: [['next']] }] },
        { use: pattern, nodes: [{ id: 'use', do: [['show', 'url', 'baseUrl', 'params']] }] }
      ],
      requests: [...targets].map((target) => ({ method: 'GET', target }))
    }
  })
}

// The ones of the patterns below that asgi-express refuses, as they are too much work.
const COSTLY = new Set([':"x"a*y{{{/a}/aA}.a{~Aa{/a*z}}}'])

/** Patterns without any sense; the ones that Express refuses make a table of their own. */
function grammar() {
  const random = new Random(201)
  const generator = new Generator(random, {})
  const refused = { name: 'random-grammar refused', registrations: [] }
  const programs = []
  while (programs.length < 250) {
    const { pattern, targets } = generator.wildPattern()
    if ((pattern.match(/[:*{]/g) ?? []).length < 2) continue // the tables have the simple ones
    try {
      match(pattern)
    } catch {
      if (refused.registrations.length < 150) {
        const on = random.pick(['app', 'router'])
        refused.registrations.push({ on, entry: { method: 'get', path: pattern, nodes: [{ id: 'h', do: [['end']] }] } })
      }
      continue
    }
    const settings = {}
    if (random.chance(0.2)) settings['strict routing'] = true
    if (random.chance(0.2)) settings['case sensitive routing'] = true
    programs.push({
      name: `random-grammar ${programs.length + 1}: ${pattern}`,
      settings,
      ...(COSTLY.has(pattern) && { difference: 'costly-paths' }),
      stack: [
        { method: 'get', path: pattern, nodes: [{ id: 'route', do: [['next']] }] },
        { use: pattern, nodes: [{ id: 'use', do: [['next']] }] }
      ],
      requests: [...new Set(Array.from({ length: 10 }, targets))].map((target) => ({ method: 'GET', target }))
    })
  }
  return [...programs, refused]
}

export const files = { 'random-patterns': patterns(), 'random-grammar': grammar() }
for (const [file, [seed, programs, requests, profile]] of Object.entries(PROFILES)) {
  const generator = new Generator(new Random(seed), profile)
  files[file] = Array.from({ length: programs }, (_, index) => ({
    ...generator.program(`${file} ${index + 1}`, requests * 3),
    keep: requests
  }))
}
