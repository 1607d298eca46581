// The grammar of paths: what matches, what is refused, and regular expressions.

import { all, get, gets, on, post, program, re, say, router, show, step, subApp, use } from '../lib/words.mjs'

// [pattern, the targets that are tried on it besides COMMON]
const PATTERNS = [
  ['/', ['/']],
  ['', ['/x']],
  ['/foo', ['/foo', '/FOO', '/foo/', '/foo//', '/foobar', '/foo/bar', '//foo']],
  ['/foo/', ['/foo', '/foo/', '/foo//']],
  ['/foo//', ['/foo', '/foo/', '/foo//', '/foo///']],
  ['//foo', ['/foo', '//foo', '//foo/']],
  ['foo', ['/foo']],
  ['/:a', ['/a-b', '/a.b', '/%20', '//', '/a//']],
  ['/:a/', ['/x/']],
  ['/:a/:b', ['/x/y', '/x//y', '/x/y/z', '//y', '/x/']],
  ['/:a/x', ['/q/x', '/x/x', '/x', '/q/X/']],
  ['/x/:a', ['/x/x', '/x/', '/X/1']],
  ['/x:a', ['/x', '/x1', '/xx', '/y1', '/x1/']],
  ['/:"a"b', ['/b', '/ab', '/bb', '/abb', '/a']],
  ['/:a-:b', ['/x-y', '/x-y-z', '/x', '/-', '/x-', '/--', '/---', '/-y', '/x--y']],
  ['/:a.:b', ['/x.y', '/x.y.z', '/.y', '/x.', '/..', '/...']],
  ['/:a-:b-:c', ['/1-2-3', '/1-2', '/1-2-3-4', '/1--3', '/-----']],
  ['/:from..:to', ['/1..2', '/1...2', '/1.2', '/1..2..3']],
  ['/:a--:b', ['/1--2', '/1-2', '/1---2', '/1----2']],
  ['/:a.json', ['/x.json', '/x.json.json', '/.json', '/x.JSON', '/x.jso']],
  ['/v:a.:b', ['/v1.2', '/v1', '/V1.2', '/v1.2.3']],
  ['/:a/:b-:c', ['/1/2-3', '/1-2/3-4', '/1/2']],
  ['/@:a', ['/@me', '/me', '/%40me']],
  ['/~:a/x', ['/~me/x', '/%7Eme/x']],
  ['/*all', ['/x/y', '/x/y/', '//x', '/x//y']],
  ['*all', ['/', '/x']],
  ['/*a/b', ['/b', '/x/b', '/x/y/b', '/b/b', '/x/b/b', '/x/b/']],
  ['/x/*a', ['/x', '/x/', '/x/1', '/x/1/2', '/x//']],
  ['/*a/b/*c', ['/x/b/y', '/x/b/b/y', '/b/b/b', '/x/y/b/z/w', '/b/y']],
  ['/*a/:b', ['/x/y', '/x/y/z', '/x', '/x/y/']],
  ['/:a/*b', ['/x/y', '/x/y/z', '/x/']],
  ['/:a-*b', ['/x-y', '/x-y/z', '/x', '/x-y-z/w']],
  ['/*a-:b', ['/x-y', '/w/x-y', '/x-y/z', '/x-y-z']],
  ['/*a.html', ['/x.html', '/x/y.html', '/x.html.html', '/.html']],
  ['/pre*a', ['/pre', '/prefix', '/pre/x', '/PREx/y']],
  ['/*a.:ext', ['/x.y', '/w/x.y', '/x.y.z', '/x.y/z']],
  ['{/x}', ['/x', '/X/']],
  ['{/:a}', ['/x', '/x/y']],
  ['/x{/:a}', ['/x', '/x/1', '/x/', '/x/1/', '/x/1/2', '/x1']],
  ['/x{/:a}/y', ['/x/y', '/x/1/y', '/x/y/y', '/x/1/2/y']],
  ['/x{/:a{/:b}}', ['/x', '/x/1', '/x/1/2', '/x/1/2/3']],
  ['/x{/:a}{/:b}', ['/x', '/x/1', '/x/1/2', '/x/1/2/3']],
  ['/:a{.:ext}', ['/x', '/x.json', '/x.tar.gz', '/.x', '/x.']],
  ['/:a{-:b}{.:c}', ['/1', '/1-2', '/1.3', '/1-2.3', '/1.2-3']],
  ['/x{y}z', ['/xz', '/xyz', '/xyyz']],
  ['/x{s}', ['/x', '/xs', '/xss', '/X', '/XS/']],
  ['/x{/}y', ['/xy', '/x/y']],
  ['/x{/*rest}', ['/x', '/x/', '/x/1/2']],
  ['{/*rest}/end', ['/end', '/a/end', '/a/b/end', '/end/end']],
  ['{/:a}/end', ['/end', '/a/end', '/a/b/end']],
  ['/{x-}:a', ['/x-1', '/1', '/x-', '/x-x-1']],
  ['/{:a/}:b', ['/1', '/1/2', '/1/2/3']],
  ['/a{b{c{d}}}', ['/a', '/ab', '/abc', '/abcd', '/abd']],
  ['/x{:a}', ['/x', '/x1', '/xyz/']],
  ['/x{}y', ['/xy', '/xxy']],
  ['{}/x', ['/x']],
  ['{{/x}}', ['/x', '/']],
  ['/\\:a', ['/:a', '/x']],
  ['/\\*', ['/*', '/x']],
  ['/\\{a\\}', ['/{a}', '/a']],
  ['/a\\?b', ['/a?b', '/ab', '/a%3Fb']],
  ['/\\(x\\)\\[y\\]\\+\\!', ['/(x)[y]+!']],
  ['/\\\\', ['/\\']],
  ['/\\f\\o\\o', ['/foo', '/FOO']],
  ['/a.b', ['/a.b', '/axb', '/a%2Eb']],
  ['/a$b^c|d', ['/a$b^c|d', '/a']],
  ["/a'b,c;d=e&f@g", ["/a'b,c;d=e&f@g"]],
  ['/a-b_c~d', ['/a-b_c~d', '/A-B_C~D']],
  ['/:a/:"b c"/:_d/:$e', ['/1/2/3/4']],
  ['/:aB/:Ab', ['/1/2']],
  ['/a/../b', ['/a/../b', '/b']],
  ['/./a', ['/./a', '/a']],
  ['/:a/x/:b/y', ['/1/x/2/y', '/x/x/y/y', '/1/x/2/y/', '/1/X/2/Y']],
  ['/a%20b', ['/a%20b', '/a b'.replace(' ', '+')]],
  ['/:x%20:y', ['/a%20b', '/a%20b%20c']],
  ['/undefined', ['/undefined']]
]
const COMMON = ['/', '/foo', '/x/y', '/a']

const grammar = ['get', 'use', 'strict', 'sensitive', 'list'].map((kind) =>
  PATTERNS.map(([pattern, targets]) => {
    const requests = gets(...new Set([...targets, ...COMMON]))
    const handler = show('h', 'url', 'baseUrl', 'params')
    switch (kind) {
      case 'use':
        return program(`use ${pattern}`, [use(pattern, handler)], requests)
      case 'strict':
        return program(`get ${pattern} strict`, [get(pattern, handler)], requests, {
          settings: { 'strict routing': true }
        })
      case 'sensitive':
        return program(`case sensitive ${pattern}`, [get(pattern, step('g')), use(pattern, handler)], requests, {
          settings: { 'case sensitive routing': true }
        })
      case 'list':
        return program(
          `list of ${pattern} and /x/:other`,
          [get([pattern, '/x/:other'], step('g')), use(['/a', pattern], handler)],
          requests
        )
      default:
        return program(`get ${pattern}`, [get(pattern, handler)], requests)
    }
  })
)

const REFUSED = [
  '/:',
  '/*',
  '*',
  '/:1a',
  '/:foo*',
  '/:""',
  '/x:',
  '/x/*',
  '/x/:/y',
  '/:-',
  '/*/x',
  '/:a:',
  '/a*b*',
  '/:"foo',
  '/*"foo',
  '/:"a\\"',
  '/x\\',
  '\\',
  '/x\\\\\\',
  '/(',
  '/)',
  '/[',
  '/]',
  '/+',
  '/?',
  '/!',
  '/}',
  '/:a?',
  '/:a+',
  '/:a(x)',
  '/(.*)',
  '/a[bc]',
  '/x}y',
  '/{x}}',
  '/{x',
  '/{',
  '{',
  '/x{/:a',
  '/{a{b}',
  '/{/:a?}',
  '/:a:b',
  '/:a*b',
  '/*a*b',
  '/*a:b',
  '/:a{:b}',
  '/{:a}:b',
  '/:a{*b}',
  '/{:a}{:b}',
  '/x{:a}{:b}',
  '/:a{x}:b',
  '/{:a}{x}{:b}',
  '/:a{x}',
  '/:a-:b',
  '/:"a":b',
  '/*a/*b',
  '/*a{/*b}',
  '/:a.:b',
  '/{x}{y}',
  '/{/:a}{/:b}',
  '/x/:a/*b',
  '{a}{b}{c}{d}{e}{f}{g}{h}',
  '{a}{b}{c}{d}{e}{f}{g}{h}{i}',
  '/{a}{b}{c}{d}{e}{f}{g}{h}/:x',
  '/{:a}{.b}{.c}{.d}{.e}{.f}{.g}{.h}{.i}',
  '/:a/:a',
  '/*a/:a',
  '/{:a/}:a',
  '/é',
  '/:é',
  '/日本/:名',
  '/x y',
  '/a#b',
  '/a"b',
  '/:a"b',
  '/%zz',
  '/😀',
  '/:😀',
  '/😀(',
  '/:a😀',
  '',
  ' ',
  'x',
  '/🎉/:',
  '/:a/:'
]

// A refusal is the same wherever the path is registered; `differences` names
// the patterns that asgi-express understands on purpose.
const EXTRA_GRAMMAR = new Set(['/*', '*', '/x/*'])
const registration = [
  ['get', 'app'],
  ['use', 'app'],
  ['get', 'router'],
  ['use', 'router']
].map(([kind, where]) => ({
  name: `paths given to ${where}.${kind}`,
  registrations: REFUSED.map((path) => ({
    on: where,
    entry: kind === 'use' ? use(path, say('h')) : get(path, say('h')),
    ...(EXTRA_GRAMMAR.has(path) && { difference: 'bare-wildcard' })
  }))
}))
registration.push({
  name: 'registrations without a proper handler or name',
  registrations: [
    { on: 'app', entry: use('/x'), difference: 'decorators' },
    { on: 'router', entry: use('/x'), difference: 'decorators' },
    { on: 'app', entry: { use: null, nodes: [] }, difference: 'decorators' },
    { on: 'router', entry: { use: null, nodes: [] }, difference: 'decorators' },
    { on: 'app', entry: use('/x', []) },
    { on: 'app', entry: post('/x', []) },
    { on: 'router', entry: get('/x', [], [[]]) },
    ...[null, 'text', 7, true].flatMap((value) => [
      { on: 'app', entry: use('/x', { value }) },
      { on: 'router', entry: use('/x', say('a'), { value }) },
      { on: 'app', entry: get('/x', { value }) },
      { on: 'router', entry: post('/x', [say('a'), { value }]) },
      { on: 'router', entry: { route: '/x', verbs: [['get', [{ value }]]] } }
    ]),
    { on: 'router', entry: { param: '', id: 'p', do: [['next']] } },
    { on: 'router', entry: { param: 7, id: 'p', do: [['next']] } },
    { on: 'app', entry: { param: ['a', ''], id: 'p', do: [['next']] } },
    { on: 'router', entry: { param: 'ok', id: 'p', do: [['next']] } },
    { on: 'app', entry: { route: '/:', verbs: [] } },
    { on: 'app', entry: get(['/a', '/:'], say('h')) },
    { on: 'app', entry: get(['/a', ['/b', '/(']], say('h')) },
    { on: 'app', entry: get([], say('h')) }
  ]
})

const regexps = [
  ...[
    ['^/foo$', ''],
    ['/foo', ''],
    ['foo', ''],
    ['^/(\\d+)$', ''],
    ['^/(\\d+)/(\\w+)?$', ''],
    ['^/(?<id>\\d+)(?:-(?<name>\\w+))?$', ''],
    ['^/([a-z]+)/(?<n>\\d+)/([a-z]+)$', ''],
    ['^/FOO', 'i'],
    ['^/fo', ''],
    ['^/foo/', ''],
    ['^/foo(?=/|$)', ''],
    ['/bar$', ''],
    ['^/(a|b)/?$', ''],
    ['.*', ''],
    ['^.*$', ''],
    ['^/(.*)$', ''],
    ['^$', ''],
    ['', ''],
    ['/', ''],
    ['^/(a)?(b)?(c)?$', ''],
    ['^/x(?!y)', ''],
    ['^/[a-f0-9]{3}$', 'i'],
    ['^/a\\.b$', ''],
    ['^/(?:x|y)/(z)$', ''],
    ['(\\d)(\\d)(\\d)', ''],
    ['^/\\w+\\.(js|css)$', ''],
    ['^\\/commits\\/(\\w+)(?:\\.\\.(\\w+))?$', ''],
    ['^/(?<a>x)(y)(?<b>z)(w)?$', '']
  ].map(([source, flags]) =>
    program(
      `the regular expression ${source} ${flags}`,
      [
        get(re(source, flags), step('g')),
        use(re(source, flags), show('u', 'url', 'baseUrl', 'params')),
        use(undefined, show('end', 'url', 'baseUrl', 'params'))
      ],
      gets(
        '/foo',
        '/FOO',
        '/foo/',
        '/foo/bar',
        '/foobar',
        '/x/foo',
        '/1',
        '/1/a',
        '/1-x',
        '/ab/12/cd',
        '/',
        '/a',
        '/b/',
        '/abc',
        '/ac',
        '/xy',
        '/xz',
        '/fa3',
        '/a.b',
        '/x/z',
        '/q123',
        '/m.js',
        '/commits/ab',
        '/commits/ab..cd',
        '/xyz',
        '/xyzw',
        '/%zz',
        '/a%20b',
        '/foo?bar',
        '/bar'
      )
    )
  ),

  program(
    'regular expressions in lists',
    [
      get(['/plain', re('^/re(\\d)$'), '/p/:x'], show('a', 'params')),
      get([re('^/(one)$'), [re('^/(?<two>two)$'), ['/three']]], show('b', 'params')),
      use([re('^/use(\\d)'), '/use/:y'], show('c', 'params', 'url', 'baseUrl'))
    ],
    gets('/plain', '/re1', '/p/2', '/one', '/two', '/three', '/use1', '/use1/x', '/use/9/x', '/use', '/nope')
  ),

  program(
    'case and strict settings do not change regular expressions',
    [get(re('^/foo$'), show('a', 'params')), get(re('^/bar$', 'i'), show('b', 'params')), get('/Baz', say('c'))],
    gets('/foo', '/Foo', '/foo/', '/bar', '/BAR', '/bar/', '/baz', '/Baz', '/Baz/'),
    { settings: { 'case sensitive routing': true, 'strict routing': true } }
  ),

  program(
    'routers mounted on regular expressions',
    [
      use(
        re('^/v(\\d)'),
        router(
          { mergeParams: true },
          get('/', show('a', 'params', 'url', 'baseUrl')),
          get('/:x', show('b', 'params', 'url', 'baseUrl'))
        )
      ),
      use(re('/in'), router({}, use(undefined, show('c', 'url', 'baseUrl')))),
      use(re('^/api/(?<ver>\\d+)'), subApp({}, get('/x', show('d', 'params', 'url', 'baseUrl'))))
    ],
    gets('/v1', '/v1/', '/v1/x', '/v1x', '/in', '/in/x', '/x/in', '/inner', '/api/1/x', '/api/12/x/', '/api/1')
  )
]

const lists = [
  program(
    'the first path of a list that matches gives the parameters',
    [
      get(['/:a', '/x/:b', '/x/:c', '/y'], show('a', 'params')),
      use(['/u/:a', '/u', '/v/:b'], show('b', 'params', 'url', 'baseUrl')),
      all([['/deep/:a', ['/deeper/:b']]], show('c', 'params')),
      get([], say('never'))
    ],
    gets('/1', '/x/1', '/y', '/u', '/u/1', '/u/1/2', '/v', '/v/1', '/deep/1', '/deeper/1', '/')
  ),

  program(
    'a router mounted on several paths',
    [
      use(
        ['/a', '/b/:id', '/c'],
        router(
          { mergeParams: true },
          get('/:x', show('a', 'params', 'url', 'baseUrl')),
          use(undefined, show('b', 'params', 'url', 'baseUrl'))
        )
      ),
      post(['/p', '/q'], say('c')),
      on('options', ['/o', '/a/o'], say('d'))
    ],
    [
      ...gets('/a', '/a/1', '/b', '/b/1', '/b/1/2', '/c/', '/c/1/'),
      'POST /p',
      'POST /q',
      'OPTIONS /o',
      'OPTIONS /p',
      'OPTIONS /a/o'
    ]
  )
]

// Patterns that asgi-express understands otherwise on purpose, or refuses; each names its row.
const OTHERWISE = [
  ['braces-parameter', '/{id}', ['/1', '/id', '/']],
  ['braces-parameter', '/x/{name}/y', ['/x/1/y', '/x/name/y', '/x//y']],
  ['braces-typed', '/x/{id:int}', ['/x/1', '/x/id1', '/x/']],
  ['non-ascii-text', '/caf\u00e9', ['/caf%C3%A9', '/caf%c3%a9/']],
  ['non-ascii-text', '/\u65e5\u672c/:id', ['/%E6%97%A5%E6%9C%AC/1']],
  ['costly-paths', '/:rest-:kind{/:y{.:x}}{/:id}', ['/a-b/c.d/e', '/a-b']]
].map(([difference, pattern, targets]) =>
  program(
    `${difference}: ${pattern}`,
    [get(pattern, show('h', 'params', 'url')), use(undefined, step('after'))],
    gets(...targets),
    { difference }
  )
)

export const files = {
  'paths-get': grammar[0],
  'paths-use': grammar[1],
  'paths-strict': grammar[2],
  'paths-sensitive': grammar[3],
  'paths-list': [...grammar[4], ...lists],
  'paths-refused': registration,
  'paths-otherwise': OTHERWISE,
  regexps
}
