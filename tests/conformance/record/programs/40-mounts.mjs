// Mounting: prefix trimming, full request targets, rewriting, sub-applications, slashes, redirects.

import {
  all,
  catcher,
  get,
  gets,
  post,
  program,
  re,
  rescue,
  router,
  say,
  show,
  step,
  subApp,
  use
} from '../lib/words.mjs'

const fields = ['url', 'baseUrl', 'path', 'originalUrl', 'params']

const prefixes = [
  program(
    'the prefix is trimmed on segment borders',
    [
      use('/foo', step('a')),
      use('/foo/bar', step('b')),
      use('/:x', step('c')),
      use('/:x/:y', step('d')),
      use('/', step('e')),
      use('', step('f')),
      use('/foo/', step('g')),
      use('/foo/:z', show('h', ...fields)),
      use(undefined, show('end', ...fields))
    ],
    [
      ['GET /?', undefined, 'empty-query'],
      ...gets(
        '/foo',
        '/foo/',
        '/foo//',
        '/foo//x',
        '/foo/x',
        '/foobar',
        '/foo.x',
        '//foo',
        '/FOO',
        '/FOO/Bar',
        '/foo?a=b',
        '/foo/?a=b',
        '/foo/bar?x',
        '/foo/bar/',
        '/foo/bar/baz',
        '/',
        '/?/foo',
        '/a/b/c',
        '/%66oo',
        '/foo%2Fbar',
        '/foo/bar//',
        '///'
      )
    ]
  ),

  program(
    'the root in a list of paths',
    [
      use(['/'], step('a')),
      use(['/', '/x'], step('b')),
      use(['/x', '/'], step('c')),
      use([''], step('d')),
      use(['', '/x'], step('e')),
      use([['/x/']], step('f')),
      get(['/'], step('g')),
      get(['', '/x'], step('h')),
      use(undefined, show('end', ...fields))
    ],
    gets('/', '/x', '/x/', '//', '/y', '/x/y', '//x', '/X')
  ),

  program(
    'nested prefixes',
    [
      use(
        '/a',
        router(
          {},
          use(
            '/b',
            router(
              {},
              use('/c', router({}, get('/d', show('d', ...fields)), use(undefined, step('c')))),
              use(undefined, step('b'))
            )
          ),
          use(undefined, step('a'))
        )
      ),
      use(undefined, show('end', ...fields))
    ],
    gets(
      '/a/b/c/d',
      '/a/b/c/d/',
      '/A/B/C/D',
      '/a/b/c',
      '/a/b/',
      '/a/b?q',
      '/a//b',
      '/a/',
      '/a?x',
      '/a/b/c/?y',
      '/ab',
      '/a/bc'
    )
  ),

  program(
    'url and baseUrl are restored after a nested walk',
    [
      use(
        '/a',
        step('1'),
        router({}, use('/b', step('2')), use('/b', router({}, use(undefined, step('3')))), use(undefined, step('4'))),
        step('5')
      ),
      use('/a/b', step('6')),
      get('/a/b', show('7', ...fields)),
      use(undefined, show('end', ...fields))
    ],
    gets('/a/b', '/a', '/a/', '/a/b/', '/a/b?x=y', '/a?x=y', '/a/b/c')
  ),

  program(
    'prefixes with parameters keep their encoding in baseUrl',
    [use('/:x', router({}, get('/', show('a', ...fields)), use('/:y', show('b', ...fields))))],
    gets('/a%20b', '/a%20b/', '/a%2Fb/c', '/é'.replace('é', '%C3%A9') + '/x', '/A/b%20c/d', '/%zz', '/a/%zz', '/a?b')
  ),

  program(
    'wildcards and optional parts in prefixes',
    [
      use('/files/*path', show('a', ...fields)),
      use('/opt{/:x}', step('b'), router({}, use(undefined, step('c')))),
      use('/p{.:ext}', show('d', ...fields)),
      use(undefined, show('end', ...fields))
    ],
    gets(
      '/files/a/b',
      '/files/a/b/',
      '/files',
      '/files/',
      '/files//',
      '/opt',
      '/opt/',
      '/opt/1',
      '/opt/1/2',
      '/p',
      '/p.x',
      '/p.x/y',
      '/px'
    )
  ),

  program(
    'the same router in several places',
    [
      {
        use: '/a',
        nodes: [
          { ...router({}, get('/x', show('x', ...fields)), use('/n', step('n')), use(undefined, step('r'))), as: 'R' }
        ]
      },
      { use: '/a/b', nodes: [{ ref: 'R' }] },
      { use: ['/c', '/d/:id'], nodes: [step('s'), { ref: 'R' }] },
      { use: null, nodes: [{ ref: 'R' }] },
      { method: 'get', path: '/h/*rest', nodes: [{ ref: 'R' }, say('t')] }
    ],
    gets('/a/x', '/a/b/x', '/c/x', '/d/1/x', '/x', '/a/n', '/n/x', '/h/x', '/h', '/q')
  ),

  program(
    'a router as a handler of a route is not trimmed',
    [
      get('/r/:id', router({}, get('/r/:x', step('a')), get('/', step('b'))), step('c')),
      all('/q/*any', subApp({}, get('/q/:z', show('d', ...fields)), get('/', say('e')))),
      get('/q/*any', say('f'))
    ],
    gets('/r/1', '/q/1', '/q/1/2')
  )
]

const targets = [
  'http://example.com/',
  'http://example.com/foo',
  'http://example.com/foo/bar?q=1',
  'HTTP://EXAMPLE.com/foo',
  'https://a.b:8080/foo/x',
  'http://example.com/FOO/',
  'http://example.com/x?u=http://y/z',
  '/foo?u=http://x/y',
  '/foo/http://x/y',
  '/http://example.com/foo',
  'http://example.com//foo',
  'http://example.com/%zz',
  'http://example.com/foo/a%20b'
]
const absolute = [
  program(
    'full request targets are matched and trimmed by their path',
    [
      use(undefined, step('a')),
      use('/foo', step('b'), router({}, use('/bar', step('c')), get('/:x', step('d')), use(undefined, step('e')))),
      get('/foo', step('f')),
      use('/:p', step('g')),
      get('/', say('root')),
      use(undefined, catcher('err', ['forward'])),
      use(undefined, show('end', ...fields))
    ],
    gets(...targets)
  ),
  program(
    'full request targets without a path',
    [
      use(undefined, step('a')),
      use('/', step('b')),
      use('/x', step('c')),
      get('/', step('d')),
      use(undefined, router({}, get('/', step('e')), use(undefined, step('f')))),
      use(undefined, show('end', ...fields))
    ],
    gets('http://example.com', 'http://example.com?x=/1', 'http://example.com/?x=/1', 'http://example.com:80')
  ),

  program(
    'a full request target that is rewritten',
    [
      use('/a', step('a', ['rewriteUrl', 'http://example.com/b/c'], ['next']), step('b')),
      use('/a/b', step('c')),
      use(undefined, show('end', ...fields))
    ],
    gets('http://example.com/a', 'http://example.com/a/', 'http://example.com/a/x')
  ),

  program(
    'full request targets that nothing answers',
    [get('/foo', step('a'))],
    gets(...targets.filter((target) => target.startsWith('http')))
  ),
  program(
    'full request targets and automatic OPTIONS',
    [get('/foo', step('a')), use('/foo', router({}, post('/x', step('b'))))],
    ['OPTIONS http://example.com/foo', 'HEAD http://example.com/foo', 'OPTIONS http://example.com/foo/x']
  ),
  program(
    'full request targets through sub-applications',
    [
      use(
        '/a',
        subApp({}, use('/b', subApp({}, get('/c', show('x', ...fields)), use(undefined, show('y', ...fields)))))
      )
    ],
    gets('http://h/a/b/c', 'http://h/a/b', 'http://h/a/b/', 'http://h/a/b?x', 'http://h/a')
  )
]

const rewriting = [
  program(
    'a rewritten url is seen by later layers only',
    [
      get('/new', step('early')),
      use('/old', step('a')),
      use(undefined, step('b', ['if', 'url', '/old', [['rewriteUrl', '/new?x=1'], ['next']], [['next']]])),
      get('/old', step('c')),
      get('/new', show('d', ...fields)),
      use(undefined, show('end', ...fields))
    ],
    gets('/old', '/new', '/old?q', '/other')
  ),

  program(
    'a url rewritten under a mount is put behind the prefix',
    [
      use('/m', step('a', ['rewriteUrl', '/new'], ['next']), step('b')),
      use('/m', step('c')),
      use('/m/new', step('d')),
      get('/m/new', show('e', ...fields)),
      use(undefined, show('end', ...fields))
    ],
    gets('/m', '/m/', '/m/x', '/m/x/y?z', '/mm')
  ),

  program(
    'a url rewritten in a nested router',
    [
      use(
        '/a',
        router(
          {},
          use('/b', router({}, use(undefined, step('x', ['rewriteUrl', '/c/d'], ['next'])), get('/c/d', step('in')))),
          get('/b/c/d', step('mid'))
        )
      ),
      get('/a/b/c/d', show('out', ...fields)),
      use(undefined, show('end', ...fields))
    ],
    gets('/a/b', '/a/b/', '/a/b/q', '/a', '/a/b?x')
  ),

  ...['/', '/x/y', '/x?y', '/?y', '//x', '/%41', '/a/', 'x', 'x/y', ''].map((url) =>
    program(
      `a url rewritten to ${JSON.stringify(url)}`,
      [
        use('/go', step('a', ['rewriteUrl', url], ['next'])),
        use('/go', step('b')),
        use('/x', step('c')),
        get('/:p', step('d')),
        use(undefined, show('end', ...fields))
      ],
      gets('/go', '/go/', '/go/x', '/go?z', '/x')
    )
  ),

  ...['/', '/x/y', '/x?y', ''].map((url) =>
    program(
      `a url rewritten to ${JSON.stringify(url)} at the top`,
      [
        use(undefined, step('a', ['if', 'path', '/go', [['rewriteUrl', url], ['next']], [['next']]])),
        use('/go', step('b')),
        use('/x', step('c')),
        get('/:p', step('d')),
        use(undefined, show('end', ...fields))
      ],
      gets('/go', '/go?z', '/x')
    )
  ),

  program(
    'a url rewritten by a route handler',
    [
      get('/go', step('a', ['rewriteUrl', '/x'], ['next']), step('b')),
      get('/go', step('c')),
      get('/x', show('d', ...fields))
    ],
    gets('/go', '/go?a', '/x')
  ),

  program(
    'a url rewritten by an error handler or a parameter callback',
    [
      { param: 'id', id: 'p', do: [['rewriteUrl', '/by-param'], ['next']] },
      use('/e', step('a', ['throw', 'x']), catcher('b', ['rewriteUrl', '/by-error'], ['next'])),
      get('/i/:id', step('c')),
      use(undefined, show('end', ...fields))
    ],
    gets('/e', '/e/x', '/i/1')
  ),

  program(
    'a rewritten method is seen by later layers only',
    [
      post('/x', step('early')),
      use('/x', step('a', ['if', 'method', 'GET', [['rewriteMethod', 'POST'], ['next']], [['next']]])),
      get('/x', step('b')),
      post('/x', show('c', 'method', 'url'))
    ],
    ['GET /x', 'POST /x', 'PUT /x', 'HEAD /x', 'OPTIONS /x']
  ),

  program(
    'a method rewritten inside a route does not change the handlers of the route',
    [
      {
        route: '/x',
        verbs: [
          ['all', [step('a', ['rewriteMethod', 'PUT'], ['next'])]],
          ['get', [step('b')]],
          ['put', [step('c')]],
          ['all', [step('d')]]
        ]
      },
      { method: 'put', path: '/x', nodes: [say('e')] }
    ],
    ['GET /x', 'PUT /x', 'DELETE /x', 'HEAD /x']
  ),

  program(
    'a method rewritten in a nested router stays',
    [
      use('/r', router({}, use(undefined, step('a', ['rewriteMethod', 'DELETE'], ['next'])))),
      { method: 'delete', path: '/r/x', nodes: [show('b', 'method')] },
      use(undefined, show('end', 'method'))
    ],
    ['GET /r/x', 'POST /r/y', 'DELETE /r/x']
  ),

  program(
    'unknown and lower case methods',
    [
      use(undefined, step('a', ['rewriteMethod', 'BREW'], ['next'])),
      all('/x', step('b')),
      use('/y', router({}, all('/', step('c')))),
      get('/x', step('d')),
      use('/low', step('e', ['rewriteMethod', 'get'], ['next'])),
      get('/low', show('f', 'method'))
    ],
    ['GET /x', 'GET /y', 'GET /low', 'OPTIONS /x']
  )
]

const SLASHED = [
  '/foo',
  '/foo/',
  '/',
  '',
  '/foo/:id',
  '/foo/:id/',
  '/*rest',
  '/foo/*rest',
  '/foo{/:x}',
  '/foo{/}',
  '{/:a}/foo',
  '/Foo/Bar'
]
const tried = gets(
  '/',
  '/foo',
  '/foo/',
  '/foo//',
  '/FOO',
  '/foo/1',
  '/foo/1/',
  '/foo/1//',
  '/Foo/Bar',
  '/foo/bar/',
  '/x/foo',
  '//foo',
  '/foo/1/2'
)
const slashes = [false, true].flatMap((strict) =>
  [false, true].flatMap((caseSensitive) => {
    const options = { caseSensitive, strict }
    const label = `${strict ? 'strict' : 'loose'}, ${caseSensitive ? 'case sensitive' : 'any case'}`
    const settings = { 'strict routing': strict, 'case sensitive routing': caseSensitive }
    return SLASHED.flatMap((path) => [
      program(
        `${label}: app ${path}`,
        [get(path, show('g', 'url', 'params')), use(path, show('u', 'url', 'baseUrl', 'params'))],
        tried,
        { settings }
      ),
      program(
        `${label}: router ${path}`,
        [use(router(options, get(path, show('g', 'url', 'params')), use(path, show('u', 'url', 'baseUrl', 'params'))))],
        tried
      ),
      program(
        `${label}: mount ${path}`,
        [use(path, router(options, get('/', show('r', 'url', 'baseUrl')), get('/1', show('1', 'url', 'baseUrl'))))],
        tried,
        { settings }
      )
    ])
  })
)

const subApps = [
  program(
    'a sub-application is mounted like a router',
    [
      use(
        '/s',
        subApp(
          {},
          get('/', show('a', ...fields)),
          get('/:x', show('b', ...fields)),
          use('/deep', subApp({}, use(undefined, show('c', ...fields))))
        )
      ),
      use('/t/:id', subApp({}, get('/', show('d', ...fields)))),
      use(undefined, show('end', ...fields))
    ],
    gets('/s', '/s/', '/s/1', '/s/deep', '/s/deep/x?y', '/S/1', '/t/1', '/t', '/', '/s/1/2')
  ),

  program(
    'several sub-applications and handlers in one use',
    [use('/s', step('a'), [subApp({}, get('/1', say('b'))), [subApp({}, get('/2', say('c')))]], say('d'))],
    gets('/s', '/s/1', '/s/2', '/s/3', '/')
  ),

  program(
    'routing settings of a sub-application',
    [
      use('/strict', subApp({ 'strict routing': true }, get('/x/', say('a')))),
      use('/case', subApp({ 'case sensitive routing': true }, get('/X', say('b')))),
      use('/plain', subApp({}, get('/x', say('c')))),
      get('/Up/', say('d'))
    ],
    gets('/strict/x', '/strict/x/', '/case/x', '/case/X', '/CASE/X', '/plain/X/', '/Plain/x', '/up', '/Up/', '/UP/'),
    { settings: { 'strict routing': true, 'case sensitive routing': true } }
  ),

  program(
    'settings are read by their name',
    [
      get('/a', step('a', ['setting', 'title'])),
      get('/b', step('b', ['setting', 'missing'])),
      get('/c', step('c', ['setting', 'env'])),
      get('/d', step('d', ['setting', 'case sensitive routing'])),
      get('/e', step('e', ['setting', 'n'])),
      use(
        '/s',
        subApp(
          { own: 'child' },
          get('/a', step('f', ['setting', 'title'])),
          get('/b', step('g', ['setting', 'own'])),
          get('/c', step('h', ['setting', 'n'])),
          use(
            '/t',
            subApp(
              { title: 'deep' },
              get('/a', step('i', ['setting', 'title'])),
              get('/b', step('j', ['setting', 'own'])),
              get('/n', step('k', ['setting', 'n']))
            )
          )
        )
      )
    ],
    gets('/a', '/b', '/c', '/d', '/e', '/s/a', '/s/b', '/s/c', '/s/t/a', '/s/t/b', '/s/t/n'),
    { settings: { title: 'parent', n: 5 } }
  ),

  program(
    'x-powered-by can be turned off',
    [
      get('/x', say('a')),
      use('/s', subApp({}, get('/x', say('b')))),
      use('/t', subApp({ 'x-powered-by': false }, get('/x', say('c'))))
    ],
    [...gets('/x', '/y', '/s/x', '/s/y', '/t/x', '/t/y'), 'OPTIONS /x'],
    { settings: { 'x-powered-by': false } }
  ),

  program(
    'x-powered-by is on by default',
    [get('/x', say('a')), use('/t', subApp({ 'x-powered-by': false }, get('/x', say('b'))))],
    [...gets('/x', '/y', '/t/x'), 'OPTIONS /x', 'HEAD /x']
  ),

  program(
    'errors and fall-through leave a sub-application',
    [
      use(
        '/s',
        subApp(
          { env: 'development' },
          get('/throw', step('a', ['throw', 'bad', { status: 418 }])),
          get('/router', step('b', ['next', 'router'])),
          get('/route', step('c', ['next', 'route']), say('never')),
          get('/string', step('d', ['next', 'text'])),
          use('/own', step('e', ['throw', 'x']), rescue('f'))
        )
      ),
      use(undefined, step('g')),
      use(undefined, catcher('h', ['forward']))
    ],
    gets('/s/throw', '/s/router', '/s/route', '/s/string', '/s/own', '/s/none')
  )
]

const TARGET_URLS = [
  '/other',
  'other',
  '../up',
  './same',
  'http://example.com/x?y=z',
  '//host/x',
  '/a b',
  '/é',
  '/a"b',
  '/<x>',
  '/%20',
  '/%zz',
  '/a|b',
  '/[x]',
  "/a'b&c",
  '/x#y',
  '?q',
  ''
]
const redirects = [
  program(
    'redirects and their bodies',
    [
      ...TARGET_URLS.map((url, i) => get(`/r${i}`, step('a', ['redirect', url]))),
      ...[301, 302, 303, 307, 308, 300, 201, 404].map((status) =>
        get(`/s${status}`, step('b', ['redirect', status, '/to']))
      ),
      use(
        '/m',
        router({}, get('/x', step('c', ['redirect', 'y'])), get('/l', step('d', ['location', '/l x'], ['end'])))
      ),
      get('/set', step('e', ['status', 201], ['set', 'X-A', 'b'], ['set', 'Vary', 'Cookie'], ['redirect', '/to'])),
      all('/any', step('f', ['redirect', 307, '/to']))
    ],
    [
      ...TARGET_URLS.map((_, i) => `GET /r${i}`),
      ...TARGET_URLS.map((_, i) => [`GET /r${i}`, { Accept: 'text/html' }]),
      ...[301, 302, 303, 307, 308, 300, 201, 404].flatMap((status) => [
        `GET /s${status}`,
        [`GET /s${status}`, { Accept: 'text/html,*/*;q=0.1' }],
        [`GET /s${status}`, { Accept: 'image/png' }]
      ]),
      'HEAD /r0',
      ['HEAD /r0', { Accept: 'text/html' }],
      'POST /any',
      'GET /m/x',
      'GET /m/l',
      'GET /set',
      ['GET /r0', { Accept: '*/*' }],
      ['GET /r0', { Accept: 'text/*' }],
      ['GET /r0', { Accept: 'text/plain;q=0.5, text/html;q=0.9' }],
      ['GET /r0', { Accept: 'application/json' }],
      ['GET /r0', { Accept: 'text/html;q=0' }],
      ['GET /r0', { accept: 'text/html' }],
      ['GET /r0', { ACCEPT: 'TEXT/HTML' }]
    ]
  )
]

const answers = [
  program(
    'what handlers can send',
    [
      ...[
        ['text', 'hi'],
        ['empty', ''],
        ['html', '<b>&"é</b>'],
        ['number', 42],
        ['true', true],
        ['null', null],
        ['list', [1, 'a', null]],
        ['object', { a: 1, b: [true, 'ü'], c: { d: null } }]
      ].flatMap(([name, value]) => [
        get(`/send/${name}`, step('s', ['send', value])),
        get(`/json/${name}`, step('j', ['json', value]))
      ]),
      ...[200, 201, 202, 204, 205, 304, 400, 404, 418, 500, 503, 599].flatMap((status) => [
        get(`/status/${status}`, step('t', ['status', status], ['send', 'body'])),
        get(`/sendStatus/${status}`, step('u', ['sendStatus', status]))
      ]),
      get('/type', step('v', ['set', 'Content-Type', 'text/plain'], ['send', 'x'])),
      get('/etag', step('w', ['set', 'ETag', '"mine"'], ['send', 'x'])),
      get('/bad', step('x', ['set', 'X-A', 'a\r\nb'], ['send', 'x'])),
      get('/badstatus', step('y', ['status', 99], ['send', 'x'])),
      get('/floatstatus', step('z', ['status', 200.5], ['send', 'x'])),
      get('/setlist', step('l', ['set', 'X-L', ['a', 'b']], ['send', 'x']))
    ],
    [
      ...['text', 'empty', 'html', 'number', 'true', 'null', 'list', 'object'].flatMap((name) => [
        `GET /send/${name}`,
        `GET /json/${name}`,
        `HEAD /send/${name}`
      ]),
      ...[200, 201, 202, 204, 205, 304, 400, 404, 418, 500, 503, 599].flatMap((status) => [
        `GET /status/${status}`,
        `GET /sendStatus/${status}`,
        `HEAD /status/${status}`
      ]),
      ...gets('/type', '/etag', '/bad', '/badstatus', '/floatstatus', '/setlist'),
      ['GET /etag', { 'If-None-Match': '"mine"' }],
      ['HEAD /etag', { 'If-None-Match': '*' }],
      ['GET /etag', { 'If-None-Match': '"other"' }],
      'OPTIONS /type',
      'POST /type'
    ]
  ),
  program(
    'regular expressions and a request with a body',
    [use(re('^/b'), show('a', 'method', 'url')), post('/x', show('b', 'method'))],
    ['PUT /b', ['POST /x', { 'Content-Length': '0' }], ['DELETE /b/c', { 'X-Lower': 'y', 'x-UPPER': 'z' }]]
  )
]

export const files = {
  prefixes,
  absolute,
  rewriting,
  slashes,
  'sub-apps': subApps,
  answers: [...redirects, ...answers]
}
