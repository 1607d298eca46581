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
  const [line, headers, difference] = [].concat(request)
  const space = line.indexOf(' ')
  return {
    method: line.slice(0, space),
    target: line.slice(space + 1),
    ...(headers && { headers }),
    ...(difference && { difference })
  }
}

/** 'GET' requests for each of the given targets. */
export const gets = (...targets) => targets.map((target) => `GET ${target}`)
