// What is sent: send, json, jsonp, end, statuses, entity tags, freshness.

import { bytes, cases, date, fn, get, nothing, number, on, program, step, use } from '../lib/words.mjs'

const BODIES = [
  [],
  [nothing],
  [null],
  [''],
  ['text'],
  ['<p>html</p>'],
  ['é ❤ 😀'],
  [0],
  [1],
  [1000],
  [-1.5],
  [true],
  [false],
  [[]],
  [[1, 'a', null, true]],
  [{}],
  [{ a: 1, b: [{ c: 'é' }] }],
  [{ 'a"b': 'x\ny', '<': '&>' }],
  [bytes('')],
  [bytes('bytes')],
  [{ $bytes: 'AP/+gA==' }],
  [date(1735787045678)],
  [[number('NaN'), number('Infinity'), number('-Infinity')]],
  [{ a: [], b: {}, c: '' }],
  ['x'.repeat(2000)]
]

const PRESETS = [
  [],
  [['type', 'text/plain']],
  [['type', 'json']],
  [['type', 'png']],
  [['set', 'Content-Type', 'text/plain; charset=iso-8859-1; format=flowed']],
  [['set', 'Content-Type', 'text/x; a="b;c"; charset=utf-16']],
  [['set', 'Content-Type', 'application/vnd.api+json']],
  [['set', 'ETag', '"mine"']],
  [['set', 'Transfer-Encoding', 'chunked']],
  [['status', 201]],
  [['status', 204]],
  [['status', 205]],
  [['status', 304]],
  [['status', 404]],
  [['status', 500]],
  [['set', 'Last-Modified', 'Thu, 02 Jan 2025 03:04:05 GMT']]
]

// Node gives the answer to HEAD no length of its own.
const headOfNothing = (actions, method) =>
  method === 'HEAD' &&
  /^\["send"(,\{"\$undefined":true\})?\]$/.test(JSON.stringify(actions.at(-1))) &&
  !/"status",(204|304|205)|"Transfer/.test(JSON.stringify(actions))
    ? 'head-of-nothing'
    : undefined

const REQUESTS = [undefined, ['HEAD'], { 'If-None-Match': '*' }]

const sends = PRESETS.map((preset, index) =>
  cases(
    `send after ${JSON.stringify(preset)}`,
    BODIES.filter((_, body) => index < 2 || body % 2 === index % 2 || body === 4).map((args) => [
      ...preset,
      ['send', ...args]
    ]),
    index < 4 || index === 10 || index === 11 ? REQUESTS : [undefined],
    { tag: headOfNothing }
  )
)

const VALUES = BODIES.filter(
  ([value]) => value !== undefined && !value?.$undefined && !JSON.stringify(value).includes('$bytes')
)
VALUES.push(
  ['\u2028\u2029'],
  [{ html: '<script>&</script>' }],
  [{ deep: [[[{ x: [1] }]]] }],
  [{ s: 'a', n: 2, m: [3, 'b'] }]
)
VALUES.push([{ 1: 'one', 0: 'zero', b: 'c' }.b], [1e21], [0.1], [123456789012], ['\u0000\u001f\u007f'], ['\\ / "'])

const JSON_SETTINGS = [
  undefined,
  { 'json spaces': 2 },
  { 'json spaces': '\t' },
  { 'json spaces': 0 },
  { 'json spaces': 12 },
  { 'json spaces': '--' },
  { 'json escape': true },
  { 'json escape': true, 'json spaces': 1 },
  { 'json replacer': fn('replacer doubles') },
  { 'json replacer': fn('replacer shouts'), 'json spaces': 1 },
  { 'json replacer': ['a', 's', 'x'] },
  { 'json replacer': [], 'json spaces': 2 }
]

// 2 * -1.5 is -3.0 in Python.
const doubled = (settings) => (actions) =>
  settings?.['json replacer']?.$fn === 'replacer doubles' && /1\.5/.test(JSON.stringify(actions))
    ? 'json-floats'
    : undefined

const json = JSON_SETTINGS.map((settings) =>
  cases(
    `json with ${JSON.stringify(settings) ?? 'no settings'}`,
    [
      ...VALUES.map((args) => [['json', ...args]]),
      [
        ['type', 'text/x'],
        ['json', { a: 1 }]
      ],
      [
        ['status', 422],
        ['send', { a: '<' }]
      ]
    ],
    [undefined],
    { settings, tag: doubled(settings) }
  )
)

const CALLBACKS = [
  '',
  '?callback=cb',
  '?callback=',
  '?callback',
  '?callback=a&callback=b',
  '?callback[a]=b',
  '?callback=a[0].b_$'
]
CALLBACKS.push(
  '?callback=foo;bar()',
  '?callback=()',
  '?callback=%C3%A9x',
  '?other=cb',
  '?callback=alert%281%29',
  '?callback[]=x'
)
CALLBACKS.push('?callback=a-b%20c', '?callback=%E2%80%A8x')

const jsonp = [
  undefined,
  { 'jsonp callback name': 'other' },
  { 'query parser': false },
  { 'query parser': 'extended' }
].flatMap((settings) =>
  CALLBACKS.map((query) =>
    cases(
      `jsonp ${query} with ${JSON.stringify(settings) ?? 'no settings'}`,
      [
        [['jsonp', { count: 1 }]],
        [['jsonp', null]],
        [['jsonp', '\u2028x\u2029<']],
        [
          ['type', 'text/vnd.x'],
          ['status', 400],
          ['jsonp', [1, 'a']]
        ],
        ...(settings
          ? []
          : [
              [['jsonp', 500]],
              [['jsonp', false]],
              [['jsonp', '']],
              [
                ['set', 'X-Content-Type-Options', 'x'],
                ['jsonp', {}]
              ]
            ])
      ],
      settings ? [undefined] : [undefined, ['HEAD']],
      { settings, query }
    )
  )
)

const jsonpSettings = cases(
  'jsonp with the settings of json',
  [[['jsonp', { a: '<&>', b: 1.5 }]], [['jsonp', 'x<y']]],
  [undefined],
  {
    settings: { 'json escape': true, 'json spaces': 2, 'json replacer': fn('replacer doubles') },
    query: '?callback=cb',
    tag: doubled({ 'json replacer': fn('replacer doubles') })
  }
)

const ETAGS = [undefined, true, false, 'weak', 'strong', fn('etag length'), fn('etag none')]
const etags = ETAGS.map((etag) =>
  cases(
    `etag ${JSON.stringify(etag) ?? 'not set'}`,
    [
      [['send', '']],
      [['send', 'hello, world!']],
      [['send', 'é❤']],
      [['send', { $bytes: 'AP/+gA==' }]],
      [['json', { a: 1 }]],
      [
        ['set', 'ETag', '"own"'],
        ['send', 'x']
      ],
      [['sendStatus', 404]],
      [['end', 'x']],
      [['send']],
      [
        ['status', 500],
        ['send', 'oops']
      ],
      [['jsonp', {}]],
      [['redirect', '/x']]
    ],
    [undefined, ['HEAD'], { 'If-None-Match': '"own"' }],
    { ...(etag !== undefined && { settings: { etag } }), tag: headOfNothing }
  )
)

const postTags = program(
  'entity tags of other methods',
  ['post', 'put', 'delete', 'patch', 'head', 'options'].map((method) =>
    on(method, '/', step(method, ['send', 'hello']))
  ),
  ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'].flatMap((method) => [
    `${method} /`,
    [`${method} /`, { 'If-None-Match': '*' }]
  ])
)

const TAG = '"tag"'
const TIME = 'Thu, 02 Jan 2025 03:04:05 GMT'
const CONDITIONS = [
  {},
  { 'If-None-Match': TAG },
  { 'If-None-Match': `W/${TAG}` },
  { 'If-None-Match': '"other"' },
  { 'If-None-Match': '*' },
  { 'If-None-Match': '' },
  { 'If-None-Match': `"other", ${TAG}` },
  { 'If-None-Match': `"other",W/${TAG},"more"` },
  { 'If-None-Match': 'tag' },
  { 'If-None-Match': `${TAG}, *` },
  { 'If-None-Match': '"a,b"' },
  { 'If-Modified-Since': TIME },
  { 'If-Modified-Since': 'Thu, 02 Jan 2025 03:04:04 GMT' },
  { 'If-Modified-Since': 'Thu, 02 Jan 2025 03:04:06 GMT' },
  { 'If-Modified-Since': 'nonsense' },
  { 'If-Modified-Since': 'Thursday, 02-Jan-25 03:04:05 GMT' },
  { 'If-Modified-Since': '' },
  { 'If-None-Match': TAG, 'If-Modified-Since': TIME },
  { 'If-None-Match': TAG, 'If-Modified-Since': 'Thu, 02 Jan 2020 03:04:04 GMT' },
  { 'If-None-Match': '"other"', 'If-Modified-Since': TIME },
  { 'If-None-Match': TAG, 'Cache-Control': 'no-cache' },
  { 'If-None-Match': TAG, 'Cache-Control': 'max-age=0, no-cache' },
  { 'If-None-Match': TAG, 'Cache-Control': 'no-cache-x' },
  { 'If-None-Match': TAG, 'Cache-Control': 'max-age=0' },
  { 'If-None-Match': TAG, Pragma: 'no-cache' }
]
const VALIDATORS = [
  [],
  [['set', 'ETag', TAG]],
  [['set', 'ETag', `W/${TAG}`]],
  [['set', 'Last-Modified', TIME]],
  [
    ['set', 'ETag', TAG],
    ['set', 'Last-Modified', TIME]
  ],
  [['set', 'Last-Modified', 'nonsense']],
  [['set', 'ETag', '"a,b"']]
]
const fresh = cases(
  'freshness',
  VALIDATORS.flatMap((validators) => [
    [...validators, ['send', 'body']],
    [...validators, ['show', 'fresh', 'stale']]
  ]),
  CONDITIONS
)
const freshStatuses = cases(
  'freshness and statuses',
  [199, 200, 201, 204, 205, 206, 299, 300, 304, 400, 404, 500]
    .filter((code) => code >= 200)
    .flatMap((code) => [
      [
        ['status', code],
        ['set', 'ETag', TAG],
        ['send', 'body']
      ],
      [
        ['status', code],
        ['set', 'ETag', TAG],
        ['set', 'Content-Length', '4'],
        ['json', [1]]
      ]
    ]),
  [undefined, { 'If-None-Match': TAG }, ['HEAD', { 'If-None-Match': TAG }]]
)

const CODES = [
  200, 201, 202, 203, 206, 207, 226, 299, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 409
]
CODES.push(
  410,
  411,
  412,
  413,
  414,
  415,
  416,
  417,
  418,
  421,
  422,
  423,
  424,
  425,
  426,
  428,
  429,
  431,
  451,
  500,
  501,
  502,
  503,
  504
)
CODES.push(505, 506, 507, 508, 509, 510, 511, 599, 600, 700, 999, 204, 205, 304)
const statuses = cases(
  'sendStatus',
  CODES.map((code) => [['sendStatus', code]]),
  [undefined]
)
const statusThen = cases(
  'status',
  [
    ...[200, 404, 599, 700, 999].map((code) => [['status', code], ['end']]),
    ...[99, 0, -1, 1000, 10000, 200.5, '200', 'ok', null, true, [], {}, number('NaN'), nothing].map((code) => [
      ['status', code],
      ['send', 'x']
    ]),
    ...[99, 1000, '200', null].map((code) => [['sendStatus', code]]),
    [
      ['status', 201],
      ['status', 202],
      ['send', 'x']
    ],
    [
      ['send', 'x'],
      ['status', 500]
    ],
    [
      ['send', 'x'],
      ['send', 'y']
    ],
    [
      ['end', 'x'],
      ['set', 'X-Late', '1']
    ],
    [
      ['write', 'a'],
      ['write', 'b'],
      ['end', 'c']
    ],
    [['write', 'a'], ['end']],
    [
      ['type', 'txt'],
      ['write', 'é'],
      ['end', bytes('❤')]
    ],
    [['set', 'Content-Length', '3'], ['write', 'abc'], ['end']],
    [['show', 'headersSent']],
    [['end']],
    [['end', 'text']],
    [
      ['status', 204],
      ['end', 'text']
    ],
    [
      ['status', 304],
      ['end', 'text']
    ],
    [['json', 1], ['next']],
    [
      ['send', 'x'],
      ['throw', 'late']
    ]
  ],
  [undefined, ['HEAD']]
)

const errors = cases(
  'error answers',
  [
    ...[400, 404, 418, 500, 503, 599, 399, 600, 200, '404'].flatMap((status) => [
      [['throw', 'boom', { status }]],
      [['throw', 'boom', { statusCode: status }]]
    ]),
    [['throw', 'boom', { status: 404, statusCode: 500 }]],
    [['throw', 'boom', { status: 200, statusCode: 503 }]],
    [
      ['status', 403],
      ['throw', 'boom']
    ],
    [
      ['status', 302],
      ['throw', 'boom']
    ],
    [['throw', 'boom', { status: 401, headers: { 'WWW-Authenticate': 'Basic', 'X-A': ['1', '2'] } }]],
    [['throw', 'boom', { headers: { 'X-A': '1' } }]],
    [['throw', 'boom', { status: 400, headers: { 'Content-Type': 'x/y', 'Content-Length': '1' } }]],
    [
      ['set', 'X-Kept', '1'],
      ['cookie', 'a', 'b'],
      ['set', 'Content-Encoding', 'gzip'],
      ['throw', 'boom']
    ],
    [
      ['set', { ETag: '"x"', 'Cache-Control': 'public', 'Content-Language': 'en', 'Content-Range': 'x' }],
      ['throw', 'boom']
    ],
    [
      ['type', 'json'],
      ['throw', 'boom', { status: 400 }]
    ],
    [['next', 'text error']],
    [['next', 42]]
  ],
  [undefined, ['HEAD'], { Accept: 'application/json' }],
  { tag: (actions) => (/599/.test(JSON.stringify(actions)) ? 'unknown-status-text' : undefined) }
)

const notFound = program(
  'not found',
  [
    use('/set', step('s', ['status', 403], ['set', 'X-Kept', '1'], ['set', 'Content-Encoding', 'x'], ['next'])),
    get('/a', step('a', ['next']))
  ],
  [
    '/',
    '/a?b=c',
    '/<b>',
    '/%3Cb%3E',
    "/'x'&y",
    '/set',
    '//x//',
    '/%',
    '/a%20b',
    '/{x}|^`',
    '/ü'.replace('ü', '%C3%BC')
  ].flatMap((target) => [`GET ${target}`, `POST ${target}`, `HEAD ${target}`])
)

export const files = {
  send: sends,
  json: json,
  jsonp: [...jsonp, jsonpSettings],
  etags: [...etags, postTags],
  freshness: [fresh, freshStatuses],
  statuses: [statuses, statusThen, errors, notFound]
}
