// Interprets a program (see ../README.md for the format) as a real Express
// application. tests/conformance/interpreter.py is the other interpreter.

import { STATUS_CODES } from 'node:http'

import express from 'express'

import { functions } from './functions.mjs'
import { describeUpload, parser } from './parsers.mjs'
import { hideRoot, placed } from './tree.mjs'

/**
 * What the handlers of the current request note down. Requests are recorded
 * one after the other, so one slot is enough.
 */
export const notes = { trace: [], method: '', target: '' }

/** The application that a program describes. Throws what Express throws. */
export function buildApp(program) {
  const app = express()
  fill(app, program, { app, named: new Map() })
  return app
}

/** Register one entry on a new app or router; used for registration tables. */
export function registerAlone(on, entry) {
  const target = on === 'router' ? express.Router() : express()
  register(target, entry, { app: target, named: new Map() })
}

function fill(target, { settings, stack }, env) {
  for (const [name, value] of Object.entries(settings ?? {})) target.set(name, revive(value))
  for (const entry of stack) register(target, entry, env)
}

/** The value that a program means: what JSON cannot say is an object with one member whose name begins with `$`. */
export function revive(value) {
  if (Array.isArray(value)) return value.map(revive)
  if (value === null || typeof value !== 'object') return value
  const [name] = Object.keys(value)
  switch (name) {
    case '$fn':
      return functions[value.$fn]
    case '$file':
      return placed(value.$file)
    case '$bytes':
      return Buffer.from(value.$bytes, 'base64')
    case '$date':
      return new Date(value.$date)
    case '$number':
      return Number(value.$number)
    case '$undefined':
      return undefined
    default:
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]))
  }
}

function register(target, entry, env) {
  if (entry.set) {
    target.set(entry.set[0], revive(entry.set[1]))
    return
  }
  if (entry.engine) {
    target.engine(entry.engine, functions[entry.as])
    return
  }
  if (entry.locals) {
    Object.assign(target.locals, entry.locals)
    return
  }
  const nodes = (entry.nodes ?? []).map((node) => toNode(node, env))
  if ('use' in entry) {
    if (entry.use === null) target.use(...nodes)
    else target.use(toPath(entry.use), ...nodes)
  } else if ('param' in entry) {
    target.param(entry.param, paramCallback(entry, env))
  } else if ('route' in entry) {
    const route = target.route(toPath(entry.route))
    for (const [method, list] of entry.verbs) route[method](...list.map((node) => toNode(node, env)))
  } else {
    target[entry.method](toPath(entry.path), ...nodes)
  }
}

function toPath(path) {
  if (Array.isArray(path)) return path.map(toPath)
  if (path !== null && typeof path === 'object') return new RegExp(path.regex, path.flags ?? '')
  return path
}

function toNode(node, env) {
  if (Array.isArray(node)) return node.map((item) => toNode(item, env))
  if (node.ref) return env.named.get(node.ref)
  if ('value' in node) return node.value // something that is no handler at all
  if ('parser' in node) return parser(node, revive)
  let made
  if (node.router) {
    made = express.Router(node.router.options)
    fill(made, { stack: node.router.stack }, env)
  } else if (node.app) {
    made = express()
    fill(made, node.app, { ...env, app: made })
  } else {
    made = handler(node, env)
  }
  if (node.as) env.named.set(node.as, made)
  return made
}

// The number of declared parameters decides what Express does with a
// function, so each kind has its own literal signature.
function handler(spec, env) {
  const run = (req, res, next, err) => {
    note(req, spec.id, err === undefined || spec.quiet ? null : describe(err))
    return perform(spec.do, { req, res, next, err, env })
  }
  if (spec.err) {
    if (spec.async) {
      return async (err, req, res, next) => {
        await null
        run(req, res, next, err)
      }
    }
    return (err, req, res, next) => {
      run(req, res, next, err)
    }
  }
  if (spec.async) {
    return async (req, res, next) => {
      await null
      run(req, res, next)
    }
  }
  if (spec.args === 2)
    return (req, res) => {
      run(req, res)
    }
  return (req, res, next) => {
    run(req, res, next)
  }
}

function paramCallback(spec, env) {
  const run = (req, res, next, value, name) => {
    note(req, `${spec.id}(${name})`, value)
    perform(spec.do, { req, res, next, value, env })
  }
  if (spec.async) {
    return async (req, res, next, value, name) => {
      await null
      run(req, res, next, value, name)
    }
  }
  return run
}

/**
 * One line of the trace: id, url, baseUrl, path (null: as url), params (null:
 * none), path of req.route (null: unset), error text or parameter value,
 * method (null: as sent), originalUrl (null: as sent). Trailing nulls are cut.
 */
function note(req, id, extra) {
  const params = JSON.parse(JSON.stringify(req.params))
  const line = [
    id,
    req.url,
    req.baseUrl,
    req.path === req.url ? null : req.path,
    Object.keys(params).length === 0 ? null : params,
    req.route === undefined ? null : describePath(req.route.path),
    extra,
    req.method === notes.method ? null : req.method,
    req.originalUrl === notes.target ? null : req.originalUrl
  ]
  while (line[line.length - 1] === null) line.pop()
  notes.trace.push(line)
}

function describePath(path) {
  if (Array.isArray(path)) return path.map(describePath)
  return path instanceof RegExp ? 'RegExp' : String(path)
}

/**
 * The words of an error. Those of the parsers of JSON and of the decompressors
 * are V8's and zlib's, those of a programmer's mistake name things of
 * JavaScript: no other language has the same. Those of the file system, which
 * name places, are replaced by the reason phrase.
 */
function wordsOf(err) {
  if (err?.type === 'entity.parse.failed' || /^(Z_|ERR__)/.test(err?.code)) return '<its own words>'
  if (/^E[A-Z]+$/.test(err?.code) && err.status) return STATUS_CODES[err.status]
  if (err instanceof TypeError || err instanceof RangeError) return '<its own words>'
  // Node says where its modules are.
  return hideRoot(err instanceof Error ? err.message.split('\nRequire stack:')[0] : String(err))
}

function describe(err) {
  const text = wordsOf(err)
  return typeof err?.status === 'number' ? `${err.status} ${text}` : text
}

function makeError(text, more) {
  return Object.assign(new Error(text), more)
}

/** Ranges are lists with a type. */
function answerOf(result) {
  return Array.isArray(result) && 'type' in result ? { type: result.type, ranges: [...result] } : (result ?? null)
}

function read(field, { req, res, value }) {
  if (field.startsWith('param:')) return req.params[field.slice(6)] ?? null
  if (field === 'value') return value
  if (field === 'headersSent') return res.headersSent
  return req[field]
}

/** Which methods of `res` are actions as they are. */
const METHODS = new Set(
  [
    'append attachment clearCookie cookie download end json jsonp links location redirect removeHeader render send',
    'sendFile sendStatus set status type vary write'
  ].flatMap((names) => names.split(' '))
)

/** What JSON can say of a value: bytes are text, or Base64 where they are not UTF-8. */
export function plain(value) {
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value)
    const text = bytes.toString('utf8')
    return bytes.equals(Buffer.from(text)) ? { bytes: text } : { base64: bytes.toString('base64') }
  }
  return value ?? null
}

/** What an error says of itself. */
function describeFields(err, fields) {
  return Object.fromEntries(fields.map((field) => [field, field === 'message' ? wordsOf(err) : plain(err[field])]))
}

function perform(actions, context) {
  const { req, res, next, err, env } = context
  for (const [name, ...args] of actions) {
    if (METHODS.has(name)) {
      res[name](...args.map(revive))
      continue
    }
    switch (name) {
      case 'show':
        res.json(Object.fromEntries(args.map((field) => [field, plain(read(field, context))])))
        break
      case 'showSize':
        res.json(JSON.stringify(plain(read(args[0], context))).length)
        break
      case 'ask':
        res.json(args.map(([method, ...rest]) => answerOf(req[method](...rest.map(revive)))))
        break
      case 'showHeaders':
        res.json(Object.fromEntries(args.map((field) => [field, res.get(field) ?? null])))
        break
      case 'showError':
        if (res.headersSent) throw err
        res.status(err.status ?? 500).json(describeFields(err, args))
        return
      case 'showUploadError':
        // multer gives its errors no status, and those of busboy no code.
        res.status(400).json({ code: err.code ?? '<malformed>', field: err.field ?? null })
        return
      case 'showUpload':
        res.json(describeUpload(req, plain))
        break
      case 'format':
        res.format(
          Object.fromEntries(Object.entries(args[0]).map(([key, then]) => [key, () => perform(then, context)]))
        )
        break
      case 'local':
        res.locals[args[0]] = args[1]
        break
      case 'setting':
        res.json({ [args[0]]: env.app.get(args[0]) ?? null })
        break
      case 'next':
        next(...args)
        return
      case 'nextErr':
        next(makeError(...args))
        return
      case 'forward':
        next(err)
        return
      case 'throw':
        throw makeError(...args)
      case 'rewriteUrl':
        req.url = args[0]
        break
      case 'rewriteMethod':
        req.method = args[0]
        break
      case 'setParam':
        req.params[args[0]] = args[1]
        break
      case 'if': {
        const [field, wanted, yes, no = []] = args
        perform(read(field, context) === wanted ? yes : no, context)
        return
      }
      default:
        throw new Error(`unknown action ${name}`)
    }
  }
}
