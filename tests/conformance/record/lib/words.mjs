// The short words that the hand-written programs are made of.

/** A middleware or handler that goes on, unless other actions are given. */
export const step = (id, ...actions) => ({ id, do: actions.length ? actions : [['next']] })

/** The same with `async`. */
export const asyncStep = (id, ...actions) => ({ ...step(id, ...actions), async: true })

/** A handler that answers with its own id. */
export const say = (id) => step(id, ['send', id])

/** A handler that answers with what it sees. */
export const show = (id, ...fields) =>
  step(id, ['show', ...(fields.length ? fields : ['url', 'baseUrl', 'path', 'params'])])

/** An error handler (four parameters); goes on without the error by default. */
export const catcher = (id, ...actions) => ({ ...step(id, ...actions), err: true })

/** An error handler that answers 500 with its own id. */
export const rescue = (id) => catcher(id, ['status', 500], ['send', id])

export const use = (path, ...nodes) =>
  typeof path === 'string' || isPath(path)
    ? { use: path, nodes }
    : { use: null, nodes: path === undefined ? nodes : [path, ...nodes] }

function isPath(value) {
  return Array.isArray(value)
    ? value.length > 0 && isPath(value[0])
    : typeof value === 'string' || (value !== null && typeof value === 'object' && 'regex' in value)
}

export const on = (method, path, ...nodes) => ({ method, path, nodes })
export const get = (path, ...nodes) => on('get', path, ...nodes)
export const post = (path, ...nodes) => on('post', path, ...nodes)
export const all = (path, ...nodes) => on('all', path, ...nodes)

/** route('/x', ['get', h1, h2], ['all', h3]) */
export const route = (path, ...verbs) => ({ route: path, verbs: verbs.map(([method, ...nodes]) => [method, nodes]) })

export const param = (name, id, ...actions) => ({ param: name, ...step(id, ...actions) })

export const router = (options, ...stack) => ({ router: { options, stack } })

export const subApp = (settings, ...stack) => ({ app: { settings, stack } })

export const re = (regex, flags = '') => ({ regex, flags })

/** One program: requests are 'GET /x' strings or [string, headers]. */
export const program = (name, stack, requests, more = {}) => ({
  name,
  ...more,
  stack,
  requests: requests.map(toRequest)
})

function toRequest(request) {
  const [line, headers, difference, more] = [].concat(request)
  const space = line.indexOf(' ')
  return {
    method: line.slice(0, space),
    target: line.slice(space + 1),
    ...(headers && { headers }),
    ...more,
    ...(difference && { difference })
  }
}

/** A request with a body: `more` is `{chunks: size}`, or nothing. */
export const sending = (line, headers, body, more, difference) => [line, headers, difference, { sent: body, ...more }]

/** Functions, bytes and the like, which JSON cannot say. */
export const fn = ($fn) => ({ $fn })
export const bytes = (content) => ({ $bytes: Buffer.from(content).toString('base64') })
export const base64 = (content) => ({ base64: Buffer.from(content).toString('base64') })
export const date = ($date) => ({ $date })
export const number = ($number) => ({ $number })
export const file = ($file) => ({ $file })
export const nothing = { $undefined: true }

/**
 * Many small answers in one program: each case, a list of actions, is the
 * handler of a path of its own. `tag(actions, method, headers)` may name the
 * difference that is expected.
 */
export const cases = (name, list, requests, more = {}) =>
  program(
    name,
    [...(more.before ?? []), ...list.map((actions, index) => get(`/${index}`, step(`c${index}`, ...actions)))],
    list.flatMap((actions, index) =>
      requests.map((request) => {
        const [method, headers] = Array.isArray(request) ? request : ['GET', request]
        return [`${method} /${index}${more.query ?? ''}`, headers, more.tag?.(actions, method, headers)]
      })
    ),
    { ...(more.settings && { settings: more.settings }) }
  )

/** 'GET' requests for each of the given targets. */
export const gets = (...targets) => targets.map((target) => `GET ${target}`)
