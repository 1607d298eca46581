// Random programs and random requests that are likely to hit them.
//
// What must not come up, because it is undefined, unbounded or different on
// purpose, is avoided here: `/{name}` segments (a parameter for
// asgi-express), text outside ASCII in paths, handlers that do not answer,
// and rewriting in combination with full request targets (where Express cuts
// the rewritten url by the length of the origin).

import { match } from 'path-to-regexp'

const LITERALS = ['a', 'b', 'c', 'foo', 'bar', 'Foo', 'users', 'v1', 'x-y', 'a.b']
const NAMES = ['id', 'name', 'x', 'y', 'z', 'rest', 'kind']
const VALUES = [
  '1',
  '42',
  'a',
  'b',
  'foo',
  'FOO',
  'abc',
  'a-b',
  'x.y',
  '%41',
  'a%2Fb',
  'a%20b',
  '%C3%A9',
  'a+b',
  '%zz',
  '-',
  '.',
  '0'
]
const VERBS = [
  'get',
  'get',
  'get',
  'get',
  'post',
  'post',
  'put',
  'delete',
  'patch',
  'head',
  'options',
  'all',
  'all',
  'm-search'
]
const REGEXPS = [
  // [source, flags, targets that match]
  ['^/(\\d+)$', '', ['/1', '/42']],
  ['^/(a|b)(?:/(\\w+))?$', '', ['/a', '/b/foo', '/a/1']],
  ['^/(?<id>\\w+)-(?<name>\\w+)$', '', ['/a-b', '/x-y']],
  ['^/foo', 'i', ['/foo', '/FOO/bar', '/foobar']],
  ['^/v(\\d)', '', ['/v1', '/v1/a', '/v2/foo']],
  ['/bar$', '', ['/bar', '/a/bar', '/foo/bar']],
  ['^/([^/]+)/(?<y>[^/]+)', '', ['/a/b', '/foo/1', '/x/y/z']],
  ['.*', '', ['/', '/a', '/foo/bar']],
  ['^/users(?=/|$)', '', ['/users', '/users/1']],
  ['^/(.*)$', '', ['/a', '/a/b', '/']]
]

/** A profile turns up or down what the programs are made of. */
export class Generator {
  #random
  #profile
  #ids = 0
  #refs = []
  #depth

  constructor(random, profile) {
    this.#random = random
    this.#profile = {
      entries: {},
      error: 1,
      rewrite: 0,
      options: 0.3,
      depth: 3,
      size: [3, 7],
      regexp: 0.05,
      mount: {},
      ...profile
    }
  }

  program(name, requestCount) {
    const r = this.#random
    this.#ids = 0
    this.#refs = []
    this.#depth = 0
    const settings = {}
    if (r.chance(this.#profile.options / 2)) settings['case sensitive routing'] = true
    if (r.chance(this.#profile.options / 2)) settings['strict routing'] = true
    if (r.chance(0.05)) settings['x-powered-by'] = false
    // Samples live beside the entries, keyed by the entry itself.
    const samples = new Map()
    const stack = this.#stack(samples, true)
    if (r.chance(0.4)) {
      const rescue = {
        id: this.#id(),
        err: true,
        do: [
          ['status', 500],
          ['send', 'rescued']
        ]
      }
      stack.push(this.#keep(samples, { use: null, nodes: [rescue] }, null))
    }
    const requests = this.#requests(stack, samples, requestCount)
    return { name, ...(Object.keys(settings).length && { settings }), stack, requests }
  }

  #id() {
    return (this.#ids++).toString(36)
  }

  #stack(samples, isApp) {
    const size = this.#random.between(...this.#profile.size)
    return Array.from({ length: size }, () => this.#entry(samples, isApp))
  }

  #entry(samples, isApp) {
    const r = this.#random
    const weights = { middleware: 4, errors: 1.5, verb: 6, route: 1, mount: 3, param: 1, ...this.#profile.entries }
    if (this.#depth >= this.#profile.depth) weights.mount = 0
    switch (r.weighted(weights)) {
      case 'middleware': {
        const path = r.chance(0.4) ? null : this.#path(samples)
        const nodes = this.#handlers(r.between(1, 2), 'use')
        return this.#keep(samples, { use: path, nodes }, path)
      }
      case 'errors': {
        const path = r.chance(0.7) ? null : this.#path(samples)
        const nodes = Array.from({ length: r.between(1, 2) }, () => this.#errorHandler())
        return this.#keep(samples, { use: path, nodes }, path)
      }
      case 'param': {
        const names = [...NAMES, '0']
        const name = isApp && r.chance(0.2) ? [r.pick(names), r.pick(names)] : r.pick(names)
        return { param: name, id: this.#id(), ...(r.chance(0.2) && { async: true }), do: this.#paramActions() }
      }
      case 'route': {
        const path = this.#path(samples)
        const verbs = Array.from({ length: r.between(1, 4) }, () => [
          r.pick(VERBS),
          this.#handlers(r.between(1, 2), 'route')
        ])
        return this.#keep(samples, { route: path, verbs }, path)
      }
      case 'mount': {
        const path = r.chance(0.15) ? null : this.#path(samples)
        return this.#keep(samples, { use: path, nodes: this.#mounted(samples) }, path)
      }
      default: {
        const path = this.#path(samples)
        const nodes = this.#handlers(r.between(1, 3), 'route')
        // A router as a handler of a route: it walks the whole path, and goes back to the route.
        if (this.#refs.length && r.chance(0.15)) nodes.unshift({ ref: r.pick(this.#refs) })
        return this.#keep(samples, { method: r.pick(VERBS), path, nodes }, path)
      }
    }
  }

  #keep(samples, entry, path) {
    samples.set(entry, path === null ? () => '' : (samples.get(path) ?? (() => path)))
    return entry
  }

  #mounted(samples) {
    const r = this.#random
    const before = r.chance(0.2) ? this.#handlers(1, 'use') : []
    if (this.#refs.length && r.chance(0.12)) return [...before, { ref: r.pick(this.#refs) }]
    this.#depth++
    let node
    if (r.chance(this.#profile.mount.app ?? 0.2)) {
      const settings = {}
      if (r.chance(this.#profile.options / 2)) settings['case sensitive routing'] = r.chance(0.5)
      if (r.chance(this.#profile.options / 2)) settings['strict routing'] = r.chance(0.5)
      node = { app: { settings, stack: this.#stack(samples, true) } }
    } else {
      const options = {}
      if (r.chance(this.#profile.mount.merge ?? 0.4)) options.mergeParams = true
      if (r.chance(this.#profile.options / 2)) options.caseSensitive = true
      if (r.chance(this.#profile.options / 2)) options.strict = true
      node = { router: { options, stack: this.#stack(samples, false) } }
    }
    this.#depth--
    if (r.chance(0.3)) {
      node.as = `R${this.#refs.length}`
      this.#refs.push(node.as)
    }
    return [...before, node]
  }

  // Handlers ---------------------------------------------------------------

  #handlers(count, place) {
    const r = this.#random
    const list = []
    for (let i = 0; i < count; i++) {
      if (place === 'route' && i > 0 && r.chance(0.1 * this.#profile.error)) list.push(this.#errorHandler())
      const last = i === count - 1
      const handler = { id: this.#id(), do: this.#actions(place, last) }
      if (r.chance(0.12)) handler.async = true
      list.push(handler)
    }
    if (list.length > 1 && r.chance(0.15)) return [list]
    return list
  }

  #actions(place, last) {
    const r = this.#random
    const { rewrite } = this.#profile
    const actions = []
    if (r.chance(0.06)) actions.push(['setParam', r.pick(NAMES), r.pick(['set', '1', 'a'])])
    if (r.chance(0.04)) actions.push(['status', r.pick([201, 202, 403, 503])])
    if (r.chance(0.04)) actions.push(['set', 'X-Made-By', r.pick(['one', 'two'])])
    if (r.chance(rewrite)) actions.push(['rewriteUrl', this.#anyTarget()])
    if (r.chance(rewrite / 2)) actions.push(['rewriteMethod', r.pick(['GET', 'POST', 'PUT', 'DELETE', 'PURGE'])])
    if (r.chance(0.1)) {
      const [field, value] = r.pick([
        ['method', 'GET'],
        ['method', 'POST'],
        [`param:${r.pick(NAMES)}`, r.pick(VALUES)],
        ['url', '/'],
        ['baseUrl', '']
      ])
      actions.push(['if', field, value, [this.#terminal(place, last)], [this.#terminal(place, last)]])
      return actions
    }
    actions.push(this.#terminal(place, last))
    return actions
  }

  #terminal(place, last) {
    const r = this.#random
    const { error } = this.#profile
    const weights =
      place === 'route' && last
        ? { send: 6, show: 3, next: 3, signal: 1, error: error * 0.8, other: 0.6 }
        : { send: 0.7, show: 0.5, next: 8, signal: 0.8, error: error * 0.8, other: 0.2 }
    switch (r.weighted(weights)) {
      case 'send':
        return ['send', r.pick(['ok', 'yes', 'done'])]
      case 'show':
        return ['show', ...r.pick([['params'], ['url', 'baseUrl'], ['params', 'path', 'method']])]
      case 'next':
        return r.chance(0.05) ? ['next', r.pick([null, 0, '', false])] : ['next']
      case 'signal':
        return ['next', r.pick(['route', 'route', 'router'])]
      case 'error':
        return this.#failure()
      default:
        return r.pick([
          ['sendStatus', 202],
          ['redirect', '/elsewhere'],
          ['end'],
          ['json', [1]],
          ['redirect', 301, 'up']
        ])
    }
  }

  #failure() {
    const r = this.#random
    const more = r.chance(0.5) ? { status: r.pick([400, 403, 404, 409, 503]) } : undefined
    const text = r.pick(['bad', 'worse', 'broken'])
    const kind = r.weighted({ throw: 3, nextErr: 3, text: 1 })
    if (kind === 'text') return ['next', text]
    return more ? [kind, text, more] : [kind, text]
  }

  #errorHandler() {
    const r = this.#random
    const handler = { id: this.#id(), err: true, do: [] }
    if (r.chance(0.1)) handler.async = true
    if (r.chance(this.#profile.rewrite / 2)) handler.do.push(['rewriteUrl', this.#anyTarget()])
    switch (r.weighted({ forward: 5, send: 2, next: 2, signal: 0.7, replace: 1 })) {
      case 'forward':
        handler.do.push(['forward'])
        break
      case 'send':
        handler.do.push(['status', 500], ['send', 'caught'])
        break
      case 'next':
        handler.do.push(['next'])
        break
      case 'signal':
        handler.do.push(['next', r.pick(['route', 'router'])])
        break
      default:
        handler.do.push(this.#failure())
    }
    return handler
  }

  #paramActions() {
    const r = this.#random
    const actions = []
    if (r.chance(0.3)) actions.push(['setParam', r.pick(NAMES), r.pick(['from-param', '1', 'a'])])
    const special = () =>
      r.pick([
        ['next', 'route'],
        ['next', 'route'],
        ['next', 'router'],
        this.#failure(),
        this.#failure(),
        ['send', 'param']
      ])
    if (r.chance(0.45)) actions.push(['if', 'value', r.pick(VALUES.slice(0, 8)), [special()], [['next']]])
    else actions.push(['next'])
    return actions
  }

  // Paths ------------------------------------------------------------------

  #path(samples) {
    const r = this.#random
    if (r.chance(this.#profile.regexp)) {
      const [regex, flags, targets] = r.pick(REGEXPS)
      const path = { regex, flags }
      samples.set(path, () => r.pick(targets))
      return path
    }
    if (r.chance(0.06)) {
      const list = [this.#path(samples), this.#path(samples)]
      samples.set(list, () => this.#sample(samples, r.pick(list)))
      return list
    }
    const { pattern, sample } = this.pattern()
    // Strings are no identities, so the last sampler of equal patterns wins;
    // they all produce matches of the same pattern.
    samples.set(pattern, sample)
    return pattern
  }

  #sample(samples, path) {
    return (samples.get(path) ?? (() => path))()
  }

  /** A pattern that path-to-regexp accepts, and a maker of targets for it. */
  pattern(maximum = 3) {
    for (;;) {
      const made = this.#tryPattern(maximum)
      try {
        match(made.pattern)
        return made
      } catch {
        // Adjacent captures and the like; hand-written tables cover those.
      }
    }
  }

  #tryPattern(maximum) {
    const r = this.#random
    if (r.chance(0.06)) return { pattern: '/', sample: () => '/' }
    const names = [...NAMES]
    const name = () => {
      const at = r.between(0, names.length - 1)
      return names.splice(at, 1)[0] ?? 'extra'
    }
    const parts = [] // [pattern text, sampler]
    const literal = () => {
      const text = r.pick(LITERALS)
      return [text, () => (r.chance(0.06) ? text.toUpperCase() : text)]
    }
    const capture = () => [`:${name()}`, () => r.pick(VALUES)]
    const wildcard = () => [`*${name()}`, () => Array.from({ length: r.between(1, 3) }, () => r.pick(VALUES)).join('/')]
    const join = (...items) => [items.map(([text]) => text).join(''), () => items.map(([, make]) => make()).join('')]
    const text = (value) => [value, () => value]
    const optional = (item) => [`{${item[0]}}`, () => (r.chance(0.6) ? item[1]() : '')]
    const segment = () => {
      switch (
        r.weighted({
          literal: 10,
          capture: 6,
          wildcard: 1.5,
          prefixed: 1,
          pair: 1,
          dotted: 0.7,
          suffixed: 0.7,
          quoted: 0.4,
          escaped: 0.3,
          plural: 0.5
        })
      ) {
        case 'capture':
          return capture()
        case 'wildcard':
          return wildcard()
        case 'prefixed':
          return join(text(r.pick(['v', '@', 'x-'])), capture())
        case 'pair':
          return join(capture(), text(r.pick(['-', '.', '..', '~'])), capture())
        case 'dotted':
          return join(capture(), optional(join(text('.'), capture())))
        case 'suffixed':
          return join(capture(), text(r.pick(['.json', '-end'])))
        case 'quoted': {
          const n = name()
          return [`:"${n} q"`, () => r.pick(VALUES)]
        }
        case 'escaped':
          return r.pick([
            ['\\:a', () => ':a'],
            ['\\*', () => '*'],
            ['a\\+b', () => 'a+b'],
            ['\\f\\oo', () => 'foo']
          ])
        case 'plural':
          return join(literal(), optional(text('s')))
        default:
          return literal()
      }
    }
    const count = r.between(1, maximum)
    for (let i = 0; i < count; i++) {
      const item = join(text('/'), segment())
      parts.push(r.chance(0.13) ? optional(item) : item)
    }
    if (r.chance(0.06)) parts.push(text('/'))
    const [pattern, sample] = join(...parts)
    return { pattern, sample }
  }

  #anyTarget() {
    const r = this.#random
    const count = r.between(0, 3)
    const path = Array.from({ length: count }, () => `/${r.chance(0.6) ? r.pick(LITERALS) : r.pick(VALUES)}`).join('')
    return (path || '/') + (r.chance(0.1) ? '?q=1' : '')
  }

  // Requests ---------------------------------------------------------------

  #requests(stack, samples, count) {
    const r = this.#random
    const seen = new Set()
    const requests = []
    for (let tries = 0; requests.length < count && tries < count * 5; tries++) {
      const { verb, path } = this.#descend(stack, samples, '', '')
      const method = this.#method(verb)
      const target = this.mutate(path || '/', this.#profile.rewrite === 0)
      const key = `${method} ${target}`
      if (seen.has(key)) continue
      seen.add(key)
      requests.push({ method, target, ...(r.chance(0.05) && { headers: { Accept: 'text/html' } }) })
    }
    return requests
  }

  /** One way down the tree: the path to a random entry, however deep. */
  #descend(stack, samples, base, verb) {
    const r = this.#random
    const candidates = stack.filter((entry) => !('param' in entry))
    if (candidates.length === 0 || r.chance(0.05)) return { verb, path: base + this.#anyTarget() }
    // Later entries are preferred a little, so that walks get long.
    const entry = candidates[Math.max(r.between(0, candidates.length - 1), r.between(0, candidates.length - 1))]
    const part = this.#sample(samples, entry)
    const path = base.replace(/\/$/, '') + part
    const inner = (entry.nodes ?? []).find((node) => node.router || node.app)
    if (inner) return this.#descend((inner.router ?? inner.app).stack, samples, path, verb)
    if ('use' in entry && r.chance(0.4)) return { verb, path: path + this.#anyTarget() }
    return { verb: entry.method ?? entry.verbs?.[0][0] ?? '', path }
  }

  #method(verb) {
    const r = this.#random
    if (r.chance(0.06)) return 'OPTIONS'
    if (r.chance(0.06)) return 'HEAD'
    if (verb && verb !== 'all' && r.chance(0.88)) return verb.toUpperCase()
    return r.pick(['GET', 'GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])
  }

  mutate(path, absolute) {
    const r = this.#random
    let target = path
    switch (r.weighted({ none: 12, slash: 1.5, extra: 1, double: 0.5, shorter: 0.7, upper: 0.7, encoded: 0.4 })) {
      case 'slash':
        target += '/'
        break
      case 'extra':
        target += `/${r.pick(LITERALS)}`
        break
      case 'double': {
        const at = target.indexOf('/', r.between(0, target.length - 1))
        target = at === -1 ? `/${target}` : `${target.slice(0, at)}/${target.slice(at)}`
        break
      }
      case 'shorter':
        target = target.slice(0, target.lastIndexOf('/')) || '/'
        break
      case 'upper':
        target = target.replace(/[a-z]/, (letter) => letter.toUpperCase())
        break
      case 'encoded':
        target = target.replace(/[a-z](?=[^/]*$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)
        break
    }
    if (target[0] !== '/') target = `/${target}`
    if (r.chance(0.08)) target += r.pick(['?q=1', '??', '?a=/b/c', '?u=http://x/y'])
    if (absolute && r.chance(0.03)) target = `http://example.com${target}`
    return target
  }

  /**
   * Any sequence of tokens, sensible or not, and targets for it. Most have two
   * captures that compete for the same text.
   */
  wildPattern() {
    const r = this.#random
    const names = ['x', 'y', 'z', 'u', 'v', 'w']
    const make = (depth) => {
      const parts = []
      const samples = []
      const count = r.between(1, 4)
      for (let i = 0; i < count; i++) {
        switch (r.weighted({ text: 6, param: 4, wildcard: 2, group: depth < 3 ? 2 : 0 })) {
          case 'text': {
            const text = r.pick([
              '/',
              '/',
              '/',
              '/a',
              '/b',
              '-',
              '.',
              'a',
              'b',
              'A',
              '--',
              '.a',
              '/-',
              '//',
              'a/b',
              '~'
            ])
            parts.push(text)
            samples.push(() => text)
            break
          }
          case 'param':
            parts.push(`:${names.shift() ?? 'x'}`)
            samples.push(() => this.#noise(1, 3).replaceAll('/', 'b'))
            break
          case 'wildcard':
            parts.push(`*${names.shift() ?? 'y'}`)
            samples.push(() => this.#noise(1, 4))
            break
          default: {
            const [text, sample] = make(depth + 1)
            parts.push(`{${text}}`)
            samples.push(() => (r.chance(0.6) ? sample() : ''))
          }
        }
      }
      // A name would take in the letter after it.
      const text = parts.map((part, i) =>
        /^[:*]/.test(part) && /^\w/.test(parts[i + 1] ?? '') ? `${part[0]}"${part.slice(1)}"` : part
      )
      return [text.join(''), () => samples.map((sample) => sample()).join('')]
    }
    for (;;) {
      const [text, sample] = make(0)
      const pattern = text[0] === '/' || r.chance(0.1) ? text : `/${text}`
      const start = pattern === text ? '' : '/'
      // `{name}` as a whole segment is a parameter for asgi-express.
      if (/(^|[/{])\{[A-Za-z]+(:"?\w+"?|\.+)?\}/.test(pattern)) continue
      const targets = () => {
        const target = r.chance(0.75) ? start + sample() : `/${this.#noise(0, 8)}`
        return (target[0] === '/' ? target : `/${target}`) + (r.chance(0.1) ? '/' : '')
      }
      return { pattern, targets }
    }
  }

  #noise(low, high) {
    const r = this.#random
    return Array.from({ length: r.between(low, high) }, () =>
      r.pick(['a', 'b', 'A', '-', '.', '/', '/', 'a', 'b', '-', '%20', '%2F', '~'])
    ).join('')
  }
}
