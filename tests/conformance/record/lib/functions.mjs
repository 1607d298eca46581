// The functions that a program can name, `{"$fn": name}`. FUNCTIONS in
// tests/conformance/interpreter.py has the same ones.

export const functions = {
  'etag length': (body, encoding) => `"${Buffer.byteLength(body, encoding)}"`,
  'etag none': () => undefined,
  'query text': (text) => ({ text }),
  'query list': (text) => (text ?? '').split('&'),
  'trust local': (address) => address === '127.0.0.1' || address.startsWith('10.'),
  'trust two': (address, index) => index < 2,
  'replacer doubles': (key, value) => (typeof value === 'number' ? value * 2 : value),
  'replacer shouts': (key, value) => (typeof value === 'string' ? value.toUpperCase() : value),
  'reviver shouts': (key, value) => (typeof value === 'string' ? value.toUpperCase() : value),
  'type always': () => true,
  'type never': () => false,
  'type by header': (req) => req.headers['x-parse'] === 'yes',
  'type throws': () => {
    throw new Error('no type')
  },
  'verify refuses a': (req, res, body) => {
    if (body[0] === 0x61 || body[1] === 0x61) throw new Error('no a')
  },
  'verify refuses with a status': (req, res, body) => {
    if (body.length > 3) throw Object.assign(new Error('too long'), { status: 401, type: 'too.long' })
  },
  'verify notes': (req, res, body, encoding) => {
    res.set('X-Verified', `${body.length} ${encoding}`)
  },
  'encode not': (value) => value,
  'encode shouts': (value) => value.toUpperCase(),
  'headers size': (res, path, stat) => res.set('X-Size', String(stat.size)),
  'headers own': (res) => res.set({ 'Cache-Control': 'private', ETag: '"own"', 'Content-Type': 'text/x-own' }),
  'filter takes text': (req, file, done) => {
    if (file.mimetype === 'application/x-bad') done(Object.assign(new Error('bad'), { code: 'BAD' }))
    else done(null, file.mimetype === 'text/plain')
  },
  'engine json': (path, { title, user, own, shared }, done) =>
    done(null, JSON.stringify([path.split('/').at(-1), title, user, own, shared].map((item) => item ?? null))),
  'engine settings': (path, { settings }, done) => done(null, settings['view engine'] ?? 'none'),
  'engine fails': (path, options, done) => done(new Error('no view today'))
}
