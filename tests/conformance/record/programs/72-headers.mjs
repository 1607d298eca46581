// The head of an answer: set, append, vary, type, links, location, redirect,
// attachment, cookies.

import { cases, date, fn, nothing, number, use } from '../lib/words.mjs'

const TYPES = [
  'json',
  'html',
  '.html',
  'txt',
  'png',
  'js',
  'mjs',
  'css',
  'svg',
  'xml',
  'ico',
  'wasm',
  'file.tar.gz',
  'a/b',
  'text/plain'
]
TYPES.push(
  'text/html; charset=latin1',
  'application/json',
  'application/javascript',
  'application/x-unknown',
  'bogus',
  '',
  'JSON',
  'path/to/x.js'
)
TYPES.push(
  '.JSON',
  'text/x-unknown',
  'application/ld+json',
  'application/manifest+json',
  'ts',
  'mp4',
  'csv',
  'md',
  'yaml',
  'webp',
  'zip',
  'rtf'
)
TYPES.push(
  'map',
  'webmanifest',
  'jsonld',
  'text',
  'bin',
  'exe',
  'x.y.pdf',
  'text/html;charset=UTF-8',
  'image/svg+xml',
  'woff2',
  'ics',
  'vtt'
)

const types = cases(
  'type and set of a type',
  TYPES.flatMap((type) => [
    [['type', type], ['end']],
    [['set', 'Content-Type', type], ['end']]
  ]),
  [undefined],
  { tag: ([[name, , type]]) => (name === 'set' && ['', 'bogus'].includes(type) ? 'content-type-words' : undefined) }
)

const sets = cases(
  'set, append, get, removeHeader',
  [
    [['set', 'X-A', 'b'], ['end']],
    [['set', 'X-A', 1], ['end']],
    [['set', 'X-A', 1.5], ['end']],
    [['set', 'X-A', ['1', 2, '3']], ['end']],
    [['set', 'X-A', []], ['end']],
    [['set', 'X-A', true], ['end']],
    [['set', 'X-A', null], ['end']],
    [['set', 'X-A', ''], ['end']],
    [['set', { 'X-A': '1', 'X-B': ['2', '3'], 'content-type': 'txt' }], ['end']],
    [['set', {}], ['end']],
    [['set', 'Content-Type', ['text/html']], ['end']],
    [['set', 'X-A', 'a\r\nX-B: c'], ['end']],
    [['set', 'X-A', 'a\nb'], ['end']],
    [['set', 'X A', 'b'], ['end']],
    [['set', 'X:A', 'b'], ['end']],
    [['set', '', 'b'], ['end']],
    [['set', 'X-A', 'é'], ['end']],
    [['set', 'X-A', '❤'], ['end']],
    [['set', 'X-A', 'a\u0000b'], ['end']],
    [['set', 'X-A', 'a\tb'], ['end']],
    [['set', 'x-a', '1'], ['set', 'X-A', '2'], ['end']],
    [
      ['set', 'X-A', '1'],
      ['showHeaders', 'x-a', 'X-A', 'X-None', 'X-Powered-By']
    ],
    [
      ['set', 'X-A', ['1', '2']],
      ['showHeaders', 'x-a']
    ],
    [
      ['type', 'json'],
      ['showHeaders', 'Content-Type', 'Content-Length']
    ],
    [['append', 'X-A', '1'], ['append', 'X-A', '2'], ['end']],
    [['append', 'X-A', ['1', '2']], ['append', 'X-A', '3'], ['end']],
    [['append', 'X-A', '1'], ['append', 'X-A', ['2', '3']], ['end']],
    [['set', 'X-A', ['1', '2']], ['append', 'X-A', '3'], ['end']],
    [['append', 'X-A', '1'], ['set', 'X-A', '2'], ['end']],
    [
      ['set', 'X-A', '1'],
      ['append', 'x-a', '2'],
      ['set', 'X-B', '1'],
      ['showHeaders', 'X-A', 'X-B']
    ],
    [['append', 'Set-Cookie', 'a=1'], ['append', 'Set-Cookie', 'b=2'], ['cookie', 'c', '3'], ['end']],
    [['append', 'Content-Type', 'text/html'], ['end']],
    [['append', 'Content-Type', 'text/html'], ['append', 'Content-Type', 'text/plain'], ['end']],
    [['append', 'Link', '</a>'], ['links', { next: '/b' }], ['end']],
    [['set', 'X-A', '1'], ['removeHeader', 'x-a'], ['end']],
    [['removeHeader', 'X-None'], ['end']],
    [['removeHeader', 'X-Powered-By'], ['end']],
    [['set', 'X-Powered-By', 'me'], ['end']],
    [
      ['set', 'Content-Length', '2'],
      ['send', 'abc']
    ],
    [['set', 'Date', 'x'], ['removeHeader', 'Date'], ['end']]
  ],
  [undefined, ['HEAD']],
  { tag: ([[, , value]]) => (value === null ? 'header-values' : undefined) }
)

const VARY = [
  'Accept',
  'accept',
  'Accept, Origin',
  '*',
  'Accept, *',
  'Accept,,Origin',
  ' Accept ',
  ['Accept'],
  ['Accept', 'Origin'],
  []
]
VARY.push('Acc ept', ['a', 'b, c'], '', null, nothing, ['*'], 'Acc:ept', ['Accept', 'accept'], 'X-1')
const vary = cases(
  'vary',
  VARY.flatMap((field) => [
    [['vary', field], ['end']],
    [['vary', 'Accept-Encoding'], ['vary', field], ['end']],
    [['set', 'Vary', 'origin, accept'], ['vary', field], ['end']],
    [['set', 'Vary', '*'], ['vary', field], ['end']]
  ]),
  [undefined]
)

const links = cases(
  'links',
  [
    [['links', { next: 'http://a/?p=2', last: 'http://a/?p=5' }], ['end']],
    [['links', { next: '/2' }], ['links', { prev: '/1' }], ['end']],
    [['links', { last: ['/5', '/9'], first: '/1' }], ['end']],
    [['links', { last: [] }], ['end']],
    [['links', {}], ['end']],
    [['set', 'Link', '</x>'], ['links', { next: '/2' }], ['end']],
    [['links', { 'a b': '/x y' }], ['end']],
    [['links', { next: '/é' }], ['end']],
    [['links', { next: '/a,b;c' }], ['end']],
    [['links', { next: '/<a>' }], ['end']],
    [['links', { next: '/"a"' }], ['end']],
    [['links', { 'n"x': '/a' }], ['end']]
  ],
  [undefined],
  { tag: ([[, links]]) => (/<a>|n\\"x/.test(JSON.stringify(links)) ? 'link-characters' : undefined) }
)

const URLS = [
  '/',
  'http://google.com',
  '/login',
  '../x',
  '..',
  'back',
  '',
  '?a=b',
  '#h',
  '/a b',
  '/é',
  '/%C3%A9',
  '/%',
  '/%zz',
  '/a%20b',
  '//x.test/y'
]
URLS.push(
  'https://google.com?q=\u2603 §10',
  '/"<>`{}',
  "/\\^|[]'",
  'http://a.test/\\@b.test',
  '/a\tb',
  '/a\r\nX: y',
  'javascript:alert(1)'
)
URLS.push(
  'data:text/html,<a>',
  'HTTP://ex.test/',
  'http://[::1]/x',
  '/\ud800x',
  '/❤',
  'http://ex.test/?a=http%3A%2F%2Fb',
  '/a?b=<script>&c="d"'
)
URLS.push(
  '  /x',
  'https://user:p@ss@h.test/',
  '/;a=b',
  '/~a!*()',
  'mailto:a@b.test',
  '/%ED%A0%80',
  'https://\u4f60\u597d.test/'
)

const locations = cases(
  'location',
  [
    ...URLS.map((url) => [['location', url], ['end']]),
    [['location', 7], ['end']],
    [
      ['location', '/a'],
      ['location', '/b'],
      ['showHeaders', 'Location']
    ]
  ],
  [undefined]
)

const redirects = cases(
  'redirect',
  [
    ...URLS.map((url) => [['redirect', url]]),
    ...[300, 301, 302, 303, 307, 308, 200, 404, 599].map((status) => [['redirect', status, '/x']]),
    [
      ['type', 'png'],
      ['set', 'Vary', 'Origin'],
      ['redirect', '/x']
    ],
    [
      ['set', 'Content-Length', '99'],
      ['redirect', '/x']
    ],
    [
      ['set', 'ETag', '"x"'],
      ['redirect', '/x']
    ]
  ],
  [undefined, { Accept: 'text/html' }, { Accept: 'application/json' }],
  {
    tag: ([[, status]], method, headers) =>
      status === 599 && headers?.Accept !== 'application/json' ? 'unknown-status-text' : undefined
  }
)
const redirectKinds = cases(
  'redirect by Accept',
  [
    [['redirect', '/?a=<b>&c=\'"']],
    [['redirect', 301, 'http://ex.test/é']],
    [
      ['type', 'css'],
      ['redirect', '/']
    ]
  ],
  [
    ...[
      '*/*',
      'text/plain',
      'text/*',
      'text/html, text/plain',
      'text/plain;q=0.1, text/html',
      'image/png',
      'text/html;q=0',
      '',
      'text/plain, */*'
    ].map((Accept) => ({ Accept })),
    ['HEAD'],
    ['HEAD', { Accept: 'text/html' }],
    { 'If-None-Match': '*' }
  ]
)
const redirectMistakes = cases(
  'redirect with wrong arguments',
  [
    [['redirect', nothing]],
    [['redirect', 'x', '/y']],
    [['redirect', 200.5, '/y']],
    [['redirect', 99, '/y']],
    [['redirect', null]],
    [['redirect', 1000, '/y']]
  ],
  [undefined],
  { tag: () => 'redirect-arguments' }
)

const NAMES = [
  undefined,
  'image.png',
  'a.txt',
  '/path/to/image.png',
  'no-extension',
  'x.bogus',
  '',
  'with space.txt',
  'quo"te.html',
  'back\\slash.html'
]
NAMES.push(
  '日本語.txt',
  'café.txt',
  '€ rates.pdf',
  "it's (1).txt",
  'per%cent.txt',
  'per%20cent.txt',
  'semi;colon.txt',
  'comma,.txt',
  'a\nb.txt',
  'a\tb.txt'
)
NAMES.push(
  '.htaccess',
  'archive.tar.gz',
  '../up.txt',
  'dir/',
  '*.txt',
  'a/b/ü.json',
  'x=y.txt',
  'tilde~.txt',
  '\u007f.txt',
  '\ud83d\ude00.png',
  'plain'
)
const attachments = cases(
  'attachment',
  NAMES.flatMap((name) => {
    const args = name === undefined ? [] : [name]
    return [
      [['attachment', ...args], ['end']],
      [
        ['type', 'css'],
        ['attachment', ...args],
        ['send', 'x']
      ]
    ]
  }),
  [undefined]
)

const COOKIE_VALUES = [
  'tobi',
  '',
  'a b',
  'é',
  '❤',
  'a;b',
  'a,b',
  '"q"',
  'a=b',
  '%',
  "!~*'()",
  'j:x',
  's:x',
  1,
  1.5,
  true,
  false,
  null,
  [],
  [1, 'a'],
  { a: 1 }
]
COOKIE_VALUES.push({ é: 'x;y' }, '\n', 'x'.repeat(300), '+/@:', 0)
const DAY = 86400000
const COOKIE_OPTIONS = [
  { path: '/admin' },
  { path: '' },
  { path: 'x;y' },
  { path: '/é' },
  { domain: 'example.com' },
  { domain: '.example.com' },
  { domain: 'ex ample' },
  { domain: 'a;b' },
  { domain: '' },
  { maxAge: 1000 },
  { maxAge: 1500 },
  { maxAge: 999 },
  { maxAge: 0 },
  { maxAge: -1000 },
  { maxAge: DAY * 30 },
  { maxAge: null },
  { maxAge: nothing },
  { maxAge: number('NaN') },
  { maxAge: number('Infinity') },
  { maxAge: 'nonsense' },
  { maxAge: 60000, expires: date(0) },
  { expires: date(0) },
  { expires: date(1735787045678) },
  { expires: date(4102444800000) },
  { expires: 'soon' },
  { expires: null },
  { httpOnly: true },
  { httpOnly: false },
  { secure: true },
  { partitioned: true },
  { partitioned: true, secure: true },
  { priority: 'low' },
  { priority: 'Medium' },
  { priority: 'HIGH' },
  { priority: 'foobar' },
  { priority: '' },
  { sameSite: true },
  { sameSite: false },
  { sameSite: 'lax' },
  { sameSite: 'STRICT' },
  { sameSite: 'none' },
  { sameSite: 'foobar' },
  { sameSite: '' },
  { sameSite: null },
  { encode: fn('encode not') },
  { encode: fn('encode shouts') },
  {
    maxAge: 5000,
    domain: 'h.test',
    path: '/p',
    httpOnly: true,
    secure: true,
    partitioned: true,
    priority: 'low',
    sameSite: 'none'
  },
  { signed: true },
  { signed: true, maxAge: 1000 },
  {}
]
const parser = use(undefined, { parser: 'cookies', secrets: ['keyboard cat', 'old'] })
const cookies = [undefined, parser].map((before) =>
  cases(
    `cookie ${before ? 'with' : 'without'} a secret`,
    [
      ...COOKIE_VALUES.map((value) => [['cookie', 'name', value], ['end']]),
      ...COOKIE_VALUES.map((value) => [['cookie', 'name', value, { signed: true }], ['end']]),
      ...COOKIE_OPTIONS.map((options) => [['cookie', 'name', 'tobi', options], ['end']]),
      [['cookie', 'name', 'é', { encode: fn('encode not') }], ['end']],
      [['cookie', 'name', { a: 1 }, { encode: fn('encode not') }], ['end']],
      ...['', 'a b', 'a;b', 'é', 'a=b', '$x', 'a(b)', '__proto__', 'n\n'].map((name) => [
        ['cookie', name, 'x'],
        ['end']
      ]),
      ...['__Host-a', '__Secure-a', '__host-a'].flatMap((name) => [
        [['cookie', name, 'x'], ['end']],
        [['cookie', name, 'x', { secure: true }], ['end']],
        [['cookie', name, 'x', { secure: true, path: '/x', domain: 'a.test' }], ['end']]
      ]),
      [['cookie', 'a', '1'], ['cookie', 'b', '2'], ['cookie', 'a', '3'], ['end']],
      [
        ['cookie', 'a', '1'],
        ['send', 'x']
      ],
      [
        ['cookie', 'a', '1'],
        ['redirect', '/']
      ],
      [['clearCookie', 'sid'], ['end']],
      [['cookie', 'sid', 'x'], ['clearCookie', 'sid'], ['end']],
      ...COOKIE_OPTIONS.filter((options) => !('encode' in options) && !('signed' in options)).map((options) => [
        ['clearCookie', 'sid', options],
        ['end']
      ]),
      [['clearCookie', 'a;b'], ['end']]
    ],
    [undefined],
    {
      before: before ? [before] : [],
      tag: ([[, name, , options]]) =>
        /^__(host|secure)-/i.test(name) && !(options?.secure && (!options.domain || /secure/i.test(name)))
          ? 'cookie-prefixes'
          : undefined
    }
  )
)

export const files = {
  types: [types],
  headers: [sets, vary, links],
  redirects: [locations, redirects, redirectKinds, redirectMistakes],
  attachments: [attachments],
  'cookies-written': cookies
}
