// Files: sendFile, download, express.static.

import { catcher, file, fn, get, nothing, number, program, show, step, subApp, use } from '../lib/words.mjs'

const TIME = 'Thu, 02 Jan 2025 03:04:05 GMT'
const LATER = 'Thu, 02 Jan 2025 04:04:05 GMT' // of nums.txt
const NUMS = 'W/"9-194252f4f08"'
const failing = use(undefined, catcher('error', ['showError', 'status', 'message', 'expose']))

const RANGES = [
  'bytes=0-4',
  'bytes=0-0',
  'bytes=5-',
  'bytes=-3',
  'bytes=8-100',
  'bytes=9-',
  'bytes=100-200',
  'bytes=-0',
  'bytes=-100',
  'bytes=4-2'
]
RANGES.push(
  'bytes=0-1,3-4',
  'bytes=0-1,2-3',
  'bytes=0-5,3-7',
  'items=0-1',
  'bytes',
  'bytes=',
  'bytes=x-y',
  'bytes=0-1,x',
  'bytes=0-1,100-',
  'BYTES=0-1'
)

const CONDITIONS = [
  { 'If-None-Match': NUMS },
  { 'If-None-Match': NUMS.slice(2) },
  { 'If-None-Match': '"other"' },
  { 'If-None-Match': '*' },
  { 'If-None-Match': `"a", ${NUMS}` },
  { 'If-Modified-Since': LATER },
  { 'If-Modified-Since': TIME },
  { 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' },
  { 'If-Modified-Since': 'nonsense' },
  { 'If-None-Match': '"other"', 'If-Modified-Since': LATER },
  { 'If-None-Match': NUMS, 'If-Modified-Since': TIME },
  { 'If-Match': NUMS },
  { 'If-Match': NUMS.slice(2) },
  { 'If-Match': '"other"' },
  { 'If-Match': '*' },
  { 'If-Match': `"a" , ${NUMS}` },
  { 'If-Match': '' },
  { 'If-Unmodified-Since': LATER },
  { 'If-Unmodified-Since': TIME },
  { 'If-Unmodified-Since': 'nonsense' },
  { 'If-Match': NUMS, 'If-Unmodified-Since': TIME },
  { 'If-Match': '"other"', 'If-Unmodified-Since': LATER },
  { 'If-Match': NUMS, 'If-None-Match': NUMS },
  { 'Cache-Control': 'no-cache', 'If-None-Match': NUMS },
  { 'If-Range': NUMS, Range: 'bytes=0-1' },
  { 'If-Range': NUMS.slice(2), Range: 'bytes=0-1' },
  { 'If-Range': '"other"', Range: 'bytes=0-1' },
  { 'If-Range': LATER, Range: 'bytes=0-1' },
  { 'If-Range': TIME, Range: 'bytes=0-1' },
  { 'If-Range': 'Fri, 01 Jan 2100 00:00:00 GMT', Range: 'bytes=0-1' },
  { 'If-Range': 'nonsense', Range: 'bytes=0-1' },
  { 'If-None-Match': NUMS, Range: 'bytes=0-1' },
  { 'If-Match': '"other"', Range: 'bytes=0-1' },
  { 'If-Unmodified-Since': TIME, Range: 'bytes=0-1' },
  { 'If-None-Match': '"other"', Range: 'bytes=100-' }
]
const both = (target, list) =>
  list.flatMap((headers) => [`GET ${target}`, `HEAD ${target}`].map((line) => [line, headers]))

// express.static ---------------------------------------------------------------

const PATHS = [
  '/',
  '/todo.txt',
  '/todo.html',
  '/empty.txt',
  '/nums.txt',
  '/half.bin',
  '/no%20ending',
  '/foo%20bar.txt',
  '/50%25.txt',
  '/caf%C3%A9.txt',
  '/notes.JSON'
]
PATHS.push(
  '/data.json',
  '/app.js',
  '/style.css',
  '/pic.svg',
  '/pic.png',
  '/page.xml',
  '/archive.tar.gz',
  '/thing.unknownext',
  '/index.html',
  '/none',
  '/none.txt'
)
PATHS.push(
  '/todo',
  '/users',
  '/users/',
  '/users/tobi.txt',
  '/users//tobi.txt',
  '//users',
  '//users/',
  '///users',
  '/users?a=1',
  '/users/?a=1',
  '/blog',
  '/blog/',
  '/blog/post'
)
PATHS.push(
  '/blog/post/',
  '/bare',
  '/bare/',
  '/bare/x.txt/',
  '/todo.txt/',
  '/.hidden',
  '/.well-known/a.txt',
  '/.dir',
  '/.dir/',
  '/.dir/b.txt',
  '/users/.inner/c.txt',
  '/.none'
)
PATHS.push(
  '/../outside.txt',
  '/users/../todo.txt',
  '/users/../../outside.txt',
  '/%2e%2e/outside.txt',
  '/..%2foutside.txt',
  '/..%5coutside.txt',
  '/users%2ftobi.txt'
)
PATHS.push(
  '/%',
  '/%zz',
  '/%c3%28',
  '/todo.txt%00',
  '/%00',
  '/./todo.txt',
  '/users/./tobi.txt',
  '/snow%20%E2%98%83',
  '/snow%20%E2%98%83/',
  '/TODO.TXT',
  '/todo.txt?x=../y'
)
PATHS.push(
  '/..double/z.txt',
  '/a..b.txt',
  '/index.html.d',
  '/index.html.d/',
  '/todo.txt;x=1',
  '/%2F',
  '/%2e/todo.txt',
  '/...',
  `/${'x'.repeat(300)}`,
  '/users/%2e%2e/todo.txt'
)
PATHS.push(
  '/%2e%2e%2foutside.txt',
  '/users\\tobi.txt'.replace('\\', '%5c'),
  '/todo.txt#hash',
  '/%7Etodo',
  '/users%2f',
  '//todo.txt',
  '/./',
  '/users/index.html'
)

// Refused here before the disk is asked, wherever they lead.
const refused = (path, options) => {
  if (/^\/users\/(\.\.|%2e%2e)\/todo/.test(path)) return 'dot-dot'
  if (path === '/users%2ftobi.txt' || (/%2f$/i.test(path) && options?.redirect !== false)) return 'hidden-separators'
  return path === '/users%5ctobi.txt' && options?.fallthrough === false ? 'hidden-separators' : undefined
}

const STATIC = [
  undefined,
  { fallthrough: false },
  { redirect: false },
  { redirect: false, fallthrough: false },
  { index: false },
  { index: false, fallthrough: false },
  { index: 'index.htm' },
  { index: ['none.html', 'index.htm', 'index.html'] },
  { index: ['bare', 'x.txt'] },
  { dotfiles: 'allow' },
  { dotfiles: 'deny' },
  { dotfiles: 'deny', fallthrough: false },
  { dotfiles: 'ignore', fallthrough: false },
  { extensions: ['html'] },
  { extensions: ['none', 'txt', 'html'] },
  { extensions: false }
]
const some = (options, index) =>
  PATHS.filter(
    (_, at) =>
      index < 2 || /dotfiles/.test(JSON.stringify(options)) === /\/\.[a-z]/.test(PATHS[at]) || at % 3 === index % 3
  )
const served = STATIC.map((options, index) =>
  program(
    `static with ${JSON.stringify(options) ?? 'no options'}`,
    [
      use(undefined, { parser: 'static', root: 'site', ...(options && { options }) }),
      use(undefined, step('after', ['status', 404], ['send', 'after'])),
      failing
    ],
    some(options, index).flatMap((path) => [
      [`GET ${path}`, undefined, refused(path, options)],
      ...(index === 0 ? [[`HEAD ${path}`, undefined, refused(path, options)]] : [])
    ])
  )
)

const HEADER_OPTIONS = [
  undefined,
  { maxAge: 0 },
  { maxAge: 1000 },
  { maxAge: 1999 },
  { maxAge: 86400000 },
  { maxAge: '1d' },
  { maxAge: '4h' },
  { maxAge: '2 days' },
  { maxAge: 99999999999999 },
  { maxAge: number('Infinity') },
  { maxAge: -1000 },
  { maxAge: 'nonsense' },
  { maxAge: '30d', immutable: true },
  { immutable: true },
  { cacheControl: false },
  { cacheControl: false, maxAge: 1000 },
  { etag: false },
  { lastModified: false },
  { etag: false, lastModified: false },
  { acceptRanges: false },
  { setHeaders: fn('headers size') },
  { setHeaders: fn('headers own') },
  { start: 2 },
  { end: 4 },
  { start: 2, end: 5 },
  { start: 20 },
  { start: 3, end: 100 }
]
const marked = HEADER_OPTIONS.map((options) =>
  program(
    `headers of static with ${JSON.stringify(options) ?? 'no options'}`,
    [use(undefined, { parser: 'static', root: 'site', ...(options && { options }) }), failing],
    [
      'GET /nums.txt',
      'HEAD /nums.txt',
      'GET /empty.txt',
      'GET /users',
      'GET /none',
      ['GET /nums.txt', { Range: 'bytes=0-4' }],
      ['GET /nums.txt', { Range: 'bytes=3-' }],
      ['GET /nums.txt', { Range: 'bytes=-2' }],
      ['GET /nums.txt', { Range: 'bytes=100-' }],
      ['GET /nums.txt', { 'If-None-Match': NUMS }],
      ['GET /nums.txt', { 'If-Modified-Since': LATER }],
      ['GET /nums.txt', { 'If-Match': '*' }],
      ['GET /nums.txt', { 'If-Unmodified-Since': TIME }],
      ['GET /nums.txt', { 'If-Range': NUMS, Range: 'bytes=0-1' }]
    ],
    // A wrong duration is an error where it is set.
    options?.maxAge === 'nonsense' ? { difference: 'file-options' } : {}
  )
)

const conditional = [
  program(
    'static and conditions',
    [use(undefined, { parser: 'static', root: 'site' }), failing],
    both('/nums.txt', [{}, ...CONDITIONS])
  ),
  program(
    'static and ranges',
    [use(undefined, { parser: 'static', root: 'site' }), failing],
    [
      ...both(
        '/nums.txt',
        RANGES.map((Range) => ({ Range }))
      ),
      ...['/empty.txt', '/long.txt', '/half.bin'].flatMap((target) =>
        RANGES.slice(0, 8).map((Range) => [`GET ${target}`, { Range }])
      )
    ]
  ),
  program(
    'static and ranges, not falling through',
    [use(undefined, { parser: 'static', root: 'site', options: { fallthrough: false } })],
    [
      ...RANGES.slice(4, 12).map((Range) => ['GET /nums.txt', { Range }]),
      ['GET /nums.txt', { 'If-Match': '"x"' }],
      'GET /none',
      'GET /../x',
      'GET /%zz',
      'GET /users'
    ]
  ),
  ...[undefined, { fallthrough: false }].map((options) =>
    program(
      `methods of static with ${JSON.stringify(options) ?? 'no options'}`,
      [
        use(undefined, { parser: 'static', root: 'site', ...(options && { options }) }),
        use(undefined, step('after', ['send', 'after']))
      ],
      ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].flatMap((method) =>
        ['/nums.txt', '/none', '/users'].map((path) => `${method} ${path}`)
      )
    )
  ),
  program(
    'a status before static',
    [
      use('/404', step('s', ['status', 404], ['next'])),
      use('/201', step('t', ['status', 201], ['next'])),
      use(['/404', '/201'], { parser: 'static', root: 'site' })
    ],
    ['/404', '/201'].flatMap((at) =>
      [{}, { 'If-None-Match': NUMS }, { Range: 'bytes=0-1' }, { 'If-Match': '"x"' }, { Range: 'bytes=100-' }].map(
        (headers) => [`GET ${at}/nums.txt`, headers]
      )
    )
  ),
  program(
    'headers before static',
    [
      use(
        undefined,
        step(
          'h',
          [
            'set',
            {
              'Cache-Control': 'private',
              ETag: '"own"',
              'Last-Modified': TIME,
              'Content-Type': 'text/x',
              'Accept-Ranges': 'none'
            }
          ],
          ['next']
        )
      ),
      use(undefined, { parser: 'static', root: 'site' }),
      failing
    ],
    [
      {},
      { 'If-None-Match': '"own"' },
      { 'If-None-Match': NUMS },
      { 'If-Match': '"own"' },
      { Range: 'bytes=0-1' },
      { 'If-Range': '"own"', Range: 'bytes=0-1' }
    ].map((headers) => ['GET /nums.txt', headers])
  )
]

const MOUNTS = [
  '/static',
  '/static/',
  '/static/users',
  '/static/users/',
  '/static//users',
  '/static/todo.txt',
  '/static/none',
  '/static?x=1',
  '/STATIC/users',
  '/static/users?x=<y>',
  '/sub/s',
  '/sub/s/',
  '/sub/s/users',
  '/file',
  '/file/',
  '/file/x',
  '/both/todo.txt',
  '/both/user.tmpl',
  '/both/none',
  '/both/users',
  '//static',
  '/static/snow%20%E2%98%83?a=%22'
]
const mounted = [undefined, { redirect: false }, { fallthrough: false }].map((options) => {
  const site = (root) => ({ parser: 'static', root, ...(options && { options }) })
  return program(
    `mounted static with ${JSON.stringify(options) ?? 'no options'}`,
    [
      use('/static', site('site')),
      use('/sub', subApp({}, use('/s', site('site')))),
      use('/file', site('site/todo.txt')),
      use('/both', site('site'), site('views')),
      use(undefined, show('after', 'url', 'baseUrl'))
    ],
    MOUNTS.map((path) => `GET ${path}`)
  )
})

const refusedStatic = {
  name: 'options of static',
  registrations: [{ setHeaders: 'x' }, { setHeaders: 1 }, { setHeaders: fn('headers size') }, {}, { maxAge: 5 }].map(
    (options) => ({
      on: 'app',
      entry: { use: null, nodes: [{ parser: 'static', root: 'site', options }] }
    })
  )
}

// sendFile and download ---------------------------------------------------------

const SENT = [
  [file('site/nums.txt')],
  [file('site/todo.html')],
  [file('site/empty.txt')],
  [file('site/half.bin')],
  [file('site/no ending')],
  [file('site/café.txt')],
  [file('site/50%.txt')],
  [file('site/notes.JSON')],
  [file('site/archive.tar.gz')],
  [file('site/none.txt')],
  [file('site/users')],
  [file('site/users/')],
  [file('site/bare/')],
  [file('site/todo.txt/')],
  [file('site/.hidden')],
  [file('site/.hidden'), { dotfiles: 'allow' }],
  [file('site/.hidden'), { dotfiles: 'deny' }],
  [file('site/.dir/b.txt')],
  [file('site/../outside.txt')],
  [file('site/users/../todo.txt')],
  [file('site/a..b.txt')],
  ['relative.txt'],
  [''],
  [nothing],
  [42],
  [null],
  ['todo.txt', { root: file('site') }],
  ['/todo.txt', { root: file('site') }],
  ['users/tobi.txt', { root: file('site/') }],
  ['../outside.txt', { root: file('site') }],
  ['users/../todo.txt', { root: file('site') }],
  ['users/../../outside.txt', { root: file('site') }],
  ['foo bar.txt', { root: file('site') }],
  ['foo%20bar.txt', { root: file('site') }],
  ['50%.txt', { root: file('site') }],
  ['café.txt', { root: file('site') }],
  ['none', { root: file('site') }],
  ['users', { root: file('site') }],
  ['users/', { root: file('site') }],
  ['', { root: file('site') }],
  ['.', { root: file('site') }],
  ['.hidden', { root: file('site') }],
  ['.hidden', { root: file('site'), dotfiles: 'allow' }],
  ['.well-known/a.txt', { root: file('site'), dotfiles: 'deny' }],
  ['b.txt', { root: file('site/.dir') }],
  ['todo', { root: file('site'), extensions: ['txt'] }],
  ['a\u0000b', { root: file('site') }],
  ['nums.txt', { root: file('site'), maxAge: 5000 }],
  ['nums.txt', { root: file('site'), maxAge: '1d', immutable: true }],
  ['nums.txt', { root: file('site'), cacheControl: false }],
  ['nums.txt', { root: file('site'), lastModified: false }],
  ['nums.txt', { root: file('site'), acceptRanges: false }],
  ['nums.txt', { root: file('site'), headers: { 'X-A': 'b', 'Content-Type': 'text/x', 'Cache-Control': 'private' } }],
  ['none.txt', { root: file('site'), headers: { 'X-A': 'b' } }],
  ['nums.txt', { root: file('site'), headers: { ETag: '"own"', 'Content-Length': '3' } }],
  ['nums.txt', { root: file('site'), start: 2, end: 5 }],
  ['nums.txt', { root: file('site'), dotfiles: 'bogus' }]
]
const numbered = (list, actions, more = {}) => [
  ...list.map((args, index) => get(`/${index}`, step(`s${index}`, ...actions(args)))),
  ...(more.after ?? [use(undefined, step('after', ['status', 404], ['send', 'after'])), failing])
]
const indexes = (list, requests) =>
  list.flatMap((args, index) =>
    requests.map(([method, headers]) => [
      `${method} /${index}`,
      headers,
      args?.[0] === 'users/../todo.txt' ? 'dot-dot' : undefined
    ])
  )

const sendFile = [
  program(
    'sendFile',
    numbered(SENT, (args) => [['sendFile', ...args]]),
    indexes(SENT, [['GET'], ['HEAD'], ['GET', { Range: 'bytes=0-1' }]])
  ),
  program(
    'sendFile after other decisions',
    numbered(
      [
        [['type', 'css']],
        [['status', 201]],
        [['status', 404]],
        [['status', 304]],
        [['set', 'Cache-Control', 'no-store']],
        [['set', 'ETag', '"own"']],
        [['set', 'Last-Modified', TIME]],
        [['cookie', 'a', 'b']],
        [['set', 'Content-Length', '3']],
        [['set', 'Content-Encoding', 'identity']],
        [['attachment', 'x.json']],
        [['vary', 'Accept']]
      ],
      (actions) => [...actions, ['sendFile', 'nums.txt', { root: file('site') }]]
    ),
    indexes(Array(12).fill(), [
      ['GET'],
      ['GET', { 'If-None-Match': NUMS }],
      ['GET', { Range: 'bytes=1-2' }],
      ['GET', { 'If-None-Match': '"own"' }]
    ]).map(([line, headers]) => [
      line,
      headers,
      line === 'GET /3' && headers?.['If-None-Match'] !== NUMS && !headers?.Range ? 'length-of-304' : undefined
    ])
  ),
  program(
    'sendFile and conditions',
    [use(undefined, step('s', ['sendFile', 'nums.txt', { root: file('site') }])), failing],
    both('/', [{}, ...CONDITIONS])
  ),
  program(
    'sendFile and ranges',
    [use(undefined, step('s', ['sendFile', 'nums.txt', { root: file('site') }])), failing],
    both(
      '/',
      RANGES.map((Range) => ({ Range }))
    )
  ),
  program(
    'sendFile for other methods',
    [use(undefined, step('s', ['sendFile', 'nums.txt', { root: file('site') }]))],
    ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'].flatMap((method) => [
      [`${method} /`],
      [`${method} /`, { 'If-None-Match': NUMS }],
      [`${method} /`, { Range: 'bytes=0-1' }]
    ])
  ),
  ...[false, 'weak', 'strong', fn('etag length')].map((etag) =>
    program(
      `sendFile with the setting etag ${JSON.stringify(etag)}`,
      numbered([[{}], [{ etag: true }], [{ etag: false }]], ([options]) => [
        ['sendFile', 'nums.txt', { root: file('site'), ...options }]
      ]),
      indexes([[{}]], [['GET'], ['GET', { 'If-None-Match': NUMS }]]),
      { settings: { etag } }
    )
  ),
  program(
    'errors of sendFile that nobody answers',
    numbered(SENT.slice(9, 32), (args) => [['sendFile', ...args]], { after: [] }),
    indexes(SENT.slice(9, 32), [['GET'], ['HEAD']])
  )
]

const DOWNLOADS = [
  [file('site/nums.txt')],
  [file('site/nums.txt'), 'document'],
  [file('site/nums.txt'), 'other.json'],
  [file('site/nums.txt'), 'with space.txt'],
  [file('site/nums.txt'), 'ünïcode.txt'],
  [file('site/nums.txt'), '/path/to/name.txt'],
  [file('site/nums.txt'), 'q"uote.txt'],
  [file('site/nums.txt'), null],
  [file('site/nums.txt'), 'n.txt', { maxAge: 4000 }],
  [file('site/nums.txt'), { maxAge: 4000, headers: { 'X-A': '1' } }],
  ['nums.txt', { root: file('site') }],
  ['nums.txt', 'x.txt', { root: file('site') }],
  ['users/tobi.txt', { root: file('site') }],
  [
    'nums.txt',
    'x.txt',
    { root: file('site'), headers: { 'Content-Disposition': 'inline', 'content-type': 'text/y', 'X-B': '2' } }
  ],
  ['nums.txt', 'x.txt', { root: file('site'), headers: { 'CONTENT-DISPOSITION': 'inline' } }],
  ['none.txt', 'x.txt', { root: file('site') }],
  ['../outside.txt', 'x.txt', { root: file('site') }],
  ['.hidden', { root: file('site') }],
  ['.hidden', { root: file('site'), dotfiles: 'allow' }],
  ['users', { root: file('site') }],
  ['café.txt', { root: file('site') }],
  ['foo bar.txt', { root: file('site') }],
  ['50%.txt', { root: file('site') }],
  [file('site/none.txt')],
  [file('site/thing.unknownext')],
  [nothing],
  [42]
]
const downloads = [
  program(
    'download',
    numbered(DOWNLOADS, (args) => [['download', ...args]]),
    indexes(DOWNLOADS, [['GET'], ['HEAD'], ['GET', { Range: 'bytes=1-3' }], ['GET', { 'If-None-Match': NUMS }]])
  ),
  program(
    'download after other decisions',
    numbered(
      [[['type', 'html']], [['set', 'Content-Disposition', 'inline']], [['attachment', 'a.html']], [['status', 201]]],
      (actions) => [...actions, ['download', 'nums.txt', 'b.json', { root: file('site') }]]
    ),
    indexes(Array(4).fill(), [['GET'], ['HEAD']])
  )
]

export const files = {
  static: served,
  'static-headers': marked,
  'static-conditions': [...conditional, ...mounted, refusedStatic],
  'send-file': sendFile,
  downloads: downloads
}
