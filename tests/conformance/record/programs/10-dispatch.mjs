// The walk over a stack: order, next() and its values, errors, arity.

import {
  all,
  asyncStep,
  catcher,
  get,
  gets,
  on,
  param,
  post,
  program,
  re,
  rescue,
  route,
  router,
  say,
  show,
  step,
  subApp,
  use
} from '../lib/words.mjs'

const order = [
  program(
    'layers run strictly in registration order',
    [
      use(undefined, step('a')),
      use('/x', step('b')),
      get('/x', step('c')),
      use(undefined, step('d'), step('e')),
      get('/x', say('f')),
      use('/x', say('g'))
    ],
    ['GET /x', 'GET /', 'POST /x', 'GET /x/y', 'HEAD /x', 'GET /X', 'GET /x/?q=1']
  ),

  program(
    'the first of two equal routes answers and the second follows on next',
    [get('/a', step('a1', ['if', 'url', '/a?go', [['next']], [['send', 'first']]])), get('/a', say('a2'))],
    ['GET /a', 'GET /a?go', 'GET /A?go']
  ),

  program(
    'handlers may be arbitrarily nested lists',
    [
      use([step('a'), [step('b'), [[step('c')]]]], [], step('d')),
      get('/n', [[[step('e')]], [step('f')]], [], say('g')),
      {
        route: '/r',
        verbs: [
          ['get', [[[step('h')], step('i')], say('j')]],
          ['post', [[say('k')]]]
        ]
      },
      use('/u', [[say('l')]])
    ],
    ['GET /n', 'GET /r', 'POST /r', 'GET /u', 'GET /none']
  ),

  program('an application without anything answers 404', [], ['GET /', 'POST /', 'HEAD /', 'OPTIONS /', 'GET /a/b?c']),

  program(
    'a route without handlers is skipped',
    [route('/x'), get('/y', say('y'))],
    ['GET /x', 'OPTIONS /x', 'GET /y']
  ),

  program(
    'handlers with two parameters answer like any other',
    [get('/two', { ...say('a'), args: 2 }), use('/two', { ...say('b'), args: 2 })],
    ['GET /two', 'POST /two', 'GET /two/x']
  ),

  program(
    'req.route stays set for the layers after a route',
    [
      use(undefined, step('before')),
      get('/a/:x', step('a')),
      use(undefined, step('middle')),
      use('/a', router({}, get('/:y', step('inner')))),
      use(undefined, step('after')),
      all(['/a/b', '/a/:z'], say('end'))
    ],
    ['GET /a/b', 'GET /a/c', 'POST /a/b', 'GET /other']
  ),

  program(
    'a route list of verbs runs all and the verb in their order',
    [
      route(
        '/r',
        ['all', step('a')],
        ['get', step('b')],
        ['all', step('c')],
        ['post', say('d')],
        ['get', say('e')],
        ['all', say('f')]
      )
    ],
    ['GET /r', 'POST /r', 'PUT /r', 'DELETE /r', 'OPTIONS /r', 'HEAD /r']
  ),

  program(
    'a handler that answered may still call next',
    [get('/x', step('a', ['send', 'sent'], ['next'])), use(undefined, step('b')), get('/x', step('c'))],
    ['GET /x', 'GET /y']
  ),

  program(
    'a second answer is an error that nobody sees',
    [
      get('/x', step('a', ['send', 'sent'], ['next']), step('b', ['send', 'again'])),
      use(undefined, catcher('c', ['forward']))
    ],
    ['GET /x']
  ),

  program(
    'writing in pieces',
    [
      get('/w', step('a', ['status', 201], ['set', 'X-A', '1'], ['write', 'one,'], ['write', 'two'], ['end'])),
      get('/e', step('b', ['end', 'whole'])),
      get('/n', step('c', ['end'])),
      get(
        '/l',
        step('d', ['write', 'first,'], ['next']),
        step('e', ['write', 'second,'], ['next']),
        step('f', ['end', 'third'])
      )
    ],
    ['GET /w', 'GET /e', 'GET /n', 'GET /l', 'HEAD /w', 'HEAD /e', 'HEAD /n']
  ),

  program(
    'handlers that wait first',
    [
      use(undefined, asyncStep('a')),
      param('id', 'p', ['next']),
      get(
        '/:id',
        asyncStep('b'),
        asyncStep('c', ['if', 'param:id', 'bad', [['throw', 'late', { status: 418 }]], [['next']]]),
        asyncStep('d', ['send', 'd'])
      ),
      use(undefined, { ...catcher('e', ['status', 500], ['send', 'caught']), async: true })
    ],
    ['GET /x', 'GET /bad', 'GET /', 'HEAD /x', 'OPTIONS /x', 'POST /x']
  ),

  program(
    'an error after the answer is seen by error handlers only',
    [
      get('/x', step('a', ['send', 'sent'], ['nextErr', 'late'])),
      get('/y', asyncStep('b', ['send', 'sent'], ['next'])),
      use(undefined, asyncStep('c', ['if', 'headersSent', true, [['next', 'later']], [['next']]])),
      use(undefined, catcher('d', ['forward'])),
      use(undefined, { ...catcher('e', ['next']), async: true }),
      use(undefined, step('f'))
    ],
    ['GET /x', 'GET /y', 'GET /z']
  ),

  program(
    'three hundred middlewares and as many handlers of one route',
    [
      use(undefined, ...Array.from({ length: 300 }, () => step('u'))),
      get('/deep', ...Array.from({ length: 300 }, () => step('h')), say('end'))
    ],
    ['GET /deep', 'GET /none'],
    { awaited: false }
  ),

  program(
    'sixty middlewares and as many handlers of one route',
    [
      use(undefined, ...Array.from({ length: 60 }, () => step('u'))),
      get('/deep', ...Array.from({ length: 60 }, () => step('h')), say('end'))
    ],
    ['GET /deep', 'GET /none']
  )
]

const nextValues = [
  ...[
    ['nothing', []],
    ['null', [null]],
    ['0', [0]],
    ['false', [false]],
    ['an empty string', ['']],
    ['route', ['route']],
    ['router', ['router']],
    ['a string', ['boom']],
    ['a number', [7]],
    ['true', [true]]
  ].map(([title, values]) => {
    const here = ['next', ...values]
    return program(
      `next with ${title}`,
      [
        get('/route', step('a', here), step('b')),
        post('/route', step('a2'), step('b2', here), step('c2')),
        use('/use', step('c', here), step('d')),
        use(
          '/router',
          router(
            {},
            get('/r', step('e', here), step('f')),
            use(undefined, step('g')),
            use(undefined, catcher('h', ['forward']))
          )
        ),
        use('/mw', router({}, use(undefined, step('i', here), step('j')), get('/r', step('k')))),
        use('/app', subApp({}, get('/r', step('l', here), step('m')), use(undefined, step('n')))),
        get('/err', step('o', ['nextErr', 'first']), catcher('p', here), step('q'), catcher('r', ['forward'])),
        use('/useerr', step('s', ['throw', 'second']), catcher('t', here), step('u')),
        use(
          '/deeperr',
          router({}, use(undefined, step('v', ['throw', 'third']), catcher('w', here)), get('/x', step('x')))
        ),
        get('/:any', step('y', ['if', 'param:any', 'last', [here], [['next']]])),
        get('/:any', step('z')),
        use(undefined, step('seen')),
        use(undefined, catcher('end', ['status', 500], ['send', 'error']))
      ],
      [
        'GET /route',
        'POST /route',
        'GET /use',
        'GET /use/x',
        'GET /router/r',
        'GET /router/x',
        'GET /mw/r',
        'GET /mw',
        'GET /app/r',
        'GET /app/q',
        'GET /err',
        'GET /useerr',
        'GET /deeperr/x',
        'GET /last',
        'GET /other',
        'HEAD /route',
        'OPTIONS /route'
      ]
    )
  }),

  program(
    'next route among several handlers and routes',
    [
      get('/a', step('a', ['next', 'route']), step('b'), catcher('c', ['forward'])),
      get('/a', step('d'), [step('e', ['next', 'route'])], step('f')),
      all('/a', step('g', ['next', 'route'])),
      get('/a', say('h'))
    ],
    ['GET /a', 'POST /a', 'OPTIONS /a', 'HEAD /a']
  ),

  program(
    'next router leaves nested routers one at a time',
    [
      use(
        '/a',
        router(
          {},
          use(
            '/b',
            router(
              {},
              use('/c', router({}, get('/d', step('d', ['next', 'router'])), use(undefined, step('never1')))),
              use(undefined, step('b')),
              get('/c/d', step('bcd', ['next', 'router'])),
              use(undefined, step('never2'))
            )
          ),
          use(undefined, step('a')),
          get('/b/c/d', say('abcd'))
        )
      ),
      use(undefined, step('never3'))
    ],
    ['GET /a/b/c/d', 'GET /a/b/c', 'GET /a/b', 'GET /a', 'GET /']
  ),

  program(
    'next router at the top level is 404',
    [
      use(undefined, step('a', ['if', 'url', '/x', [['next', 'router']], [['next']]])),
      get('/*all', say('b')),
      use(undefined, step('c'))
    ],
    ['GET /x', 'GET /y', 'POST /y']
  )
]

const errors = [
  program(
    'an error skips handlers, routes and error handlers before it',
    [
      use(undefined, catcher('early', ['forward'])),
      get('/x', step('a', ['nextErr', 'bad', { status: 409 }]), step('b'), catcher('c', ['forward'])),
      get('/x', step('d')),
      use(undefined, step('e')),
      use('/x', catcher('f', ['forward'])),
      use('/y', catcher('g', ['forward'])),
      use(undefined, [step('h'), [catcher('i', ['forward'])]]),
      get('/x', catcher('j', ['forward']))
    ],
    ['GET /x', 'GET /y', 'HEAD /x', 'OPTIONS /x']
  ),

  program(
    'next in an error handler resumes normal processing',
    [
      get('/x', step('a', ['throw', 'bad']), catcher('b'), step('c', ['next'])),
      use(undefined, step('d')),
      use(undefined, catcher('e', ['forward'])),
      get('/x', say('f'))
    ],
    ['GET /x']
  ),

  program(
    'an error thrown in an error handler replaces the error',
    [
      use(
        '/x',
        step('a', ['throw', 'one']),
        catcher('b', ['throw', 'two', { status: 402 }]),
        catcher('c', ['nextErr', 'three']),
        catcher('d', ['forward'])
      ),
      use(undefined, catcher('e', ['next', 'four']), catcher('f', ['forward']))
    ],
    ['GET /x', 'GET /x/y']
  ),

  program(
    'a lone error handler does not run without an error',
    [
      use(undefined, catcher('a')),
      get('/x', catcher('b'), say('c')),
      get('/only', catcher('d')),
      use(undefined, rescue('e'))
    ],
    ['GET /x', 'GET /only', 'GET /', 'OPTIONS /only', 'POST /x']
  ),

  program(
    'errors leave routers and sub-applications forwards',
    [
      use(
        '/r',
        router(
          {},
          use(undefined, catcher('before', ['forward'])),
          get('/x', step('a', ['throw', 'bad'])),
          get('/y', say('y'))
        )
      ),
      use('/s', subApp({}, get('/x', step('b', ['nextErr', 'worse', { status: 503 }])), use('/z', catcher('never')))),
      use('/t', subApp({}, get('/x', step('c', ['throw', 'own'])), use(undefined, rescue('own')))),
      get('/r/x', step('d')),
      use(undefined, catcher('e', ['show', 'url', 'baseUrl', 'params']))
    ],
    ['GET /r/x', 'GET /r/y', 'GET /s/x', 'GET /t/x', 'GET /s/z']
  ),

  program(
    'error handlers mounted on paths and in routers',
    [
      use('/a/:id', step('a', ['throw', 'bad'])),
      use('/b', catcher('b', ['forward'])),
      use('/a/:other', catcher('c', ['forward'])),
      use('/a', router({}, use(undefined, catcher('inner', ['forward'])), use('/:n', rescue('n')))),
      use(undefined, router({}, use(undefined, rescue('d')))),
      use(undefined, rescue('e'))
    ],
    ['GET /a/1', 'GET /a/1/2', 'GET /b']
  ),

  program(
    'a router never sees the pending error of its parent',
    [
      use(undefined, step('a', ['throw', 'bad'])),
      use(undefined, router({}, use(undefined, step('b'), rescue('c')))),
      use(undefined, rescue('d'))
    ],
    ['GET /', 'GET /x']
  ),

  program(
    'status and headers of the default error page',
    [
      get('/plain', step('a', ['throw', 'secret'])),
      get('/status', step('b', ['nextErr', 'x', { status: 404 }])),
      get('/s400', step('s400', ['nextErr', 'x', { status: 400 }])),
      get('/s499', step('s499', ['nextErr', 'x', { status: 499 }])),
      get('/s599', step('s599', ['nextErr', 'x', { status: 599 }])),
      get('/s600', step('s600', ['nextErr', 'x', { status: 600 }])),
      get('/s399', step('s399', ['nextErr', 'x', { status: 399 }])),
      get('/s200', step('s200', ['nextErr', 'x', { status: 200 }])),
      get('/text', step('text', ['nextErr', 'x', { status: '404' }])),
      get('/code', step('code', ['nextErr', 'x', { statusCode: 410 }])),
      get('/both', step('both', ['nextErr', 'x', { status: 200, statusCode: 411 }])),
      get('/prefer', step('prefer', ['nextErr', 'x', { status: 412, statusCode: 413 }])),
      get('/res503', step('res503', ['status', 503], ['nextErr', 'x'])),
      get('/res302', step('res302', ['status', 302], ['nextErr', 'x'])),
      get('/reserr', step('reserr', ['status', 503], ['nextErr', 'x', { status: 404 }])),
      get(
        '/headers',
        step('headers', ['nextErr', 'x', { status: 401, headers: { 'WWW-Authenticate': 'Basic', 'X-A': 'b' } }])
      ),
      get('/noheaders', step('noheaders', ['nextErr', 'x', { headers: { 'X-A': 'b' } }])),
      get(
        '/kept',
        step(
          'kept',
          ['set', 'X-Kept', 'yes'],
          ['set', 'Content-Encoding', 'zip'],
          ['set', 'Content-Language', 'de'],
          ['set', 'Content-Range', 'x'],
          ['set', 'Content-Type', 'text/plain'],
          ['throw', 'x']
        )
      ),
      get(
        '/kept404',
        step('kept404', ['set', 'X-Kept', 'yes'], ['set', 'Content-Language', 'de'], ['status', 201], ['next'])
      ),
      get('/string', step('string', ['next', 'a string'])),
      get('/number', step('number', ['next', 404]))
    ],
    [
      ...gets(
        '/plain',
        '/status',
        '/s400',
        '/s600',
        '/s399',
        '/s200',
        '/text',
        '/code',
        '/both',
        '/prefer',
        '/res503',
        '/res302',
        '/reserr',
        '/headers',
        '/noheaders',
        '/kept',
        '/kept404',
        '/string',
        '/number'
      ),
      ['GET /s499', undefined, 'unknown-status-text'],
      ['GET /s599', undefined, 'unknown-status-text'],
      'HEAD /plain',
      'HEAD /headers'
    ]
  ),

  program(
    'headers of an error cannot replace those of its page',
    [
      get(
        '/own',
        step('a', [
          'nextErr',
          'x',
          {
            status: 429,
            headers: {
              'Content-Type': 'text/plain',
              'Content-Security-Policy': 'none',
              'X-Content-Type-Options': 'sniff',
              'Content-Length': '7',
              'Content-Language': 'de',
              'Retry-After': '60'
            }
          }
        ])
      ),
      get(
        '/set',
        step(
          'b',
          ['set', 'Set-Cookie', ['a=1', 'b=2']],
          ['set', 'ETag', '"x"'],
          ['set', 'Cache-Control', 'no-store'],
          ['set', 'Last-Modified', 'yesterday'],
          ['nextErr', 'x']
        )
      ),
      get('/none', step('c', ['set', 'Set-Cookie', ['a=1', 'b=2']], ['set', 'ETag', '"x"'], ['next']))
    ],
    [...gets('/own', '/set', '/none'), 'HEAD /own', 'HEAD /none']
  ),

  program(
    'errors that are texts and numbers on the page of development',
    [
      get('/text', step('a', ['next', 'one\n  two  three\n<b>"&\'</b>'])),
      get('/number', step('b', ['next', 42])),
      get('/space', step('c', ['next', '   ']))
    ],
    [...gets('/text', '/number', '/space'), 'HEAD /text'],
    { settings: { env: 'development' } }
  ),

  program(
    'the text of the default 404 page',
    [post('/x', say('x'))],
    [
      ...gets(
        '/',
        '/x',
        '/a/b?q=1',
        '/<script>',
        '/a"b',
        "/a'b",
        '/a&b',
        '/a%20b',
        '/a%',
        '/%zz',
        '/[x]',
        '/a|b',
        '/a^b',
        '/a`b',
        '/{a}',
        '//x',
        '/a//b',
        '/a/',
        '/?',
        '/??',
        '/~a',
        '/a;b=c',
        '/a,b',
        '/%C3%A9',
        '/\\x',
        '/a@b',
        '/$a',
        '/(a)',
        '/!',
        '/*'
      ),
      'HEAD /',
      'PUT /x',
      'DELETE /a',
      'PATCH /a',
      'M-SEARCH /a',
      'PROPFIND /'
    ]
  ),

  program(
    'the 404 page of a nested walk names the original target',
    [use('/a', router({}, use('/b', subApp({}, use(undefined, step('x', ['rewriteUrl', '/other'], ['next']))))))],
    ['GET /a/b/c?d', 'POST /a/b', 'GET /a/b/']
  ),

  program(
    'the 404 page is the same in development',
    [get('/x', step('a'))],
    ['GET /x', 'GET /y', 'POST /x', 'HEAD /x'],
    { settings: { env: 'development' } }
  ),

  program(
    'regular expressions and parameters with errors',
    [
      use(re('^/e'), step('a', ['nextErr', 'bad', { status: 422 }])),
      get(re('^/e/(x)'), say('b')),
      use(re('^/e/x'), catcher('c', ['forward'])),
      get('/:id', say('d'))
    ],
    ['GET /e', 'GET /e/x', 'GET /f', 'GET /ee']
  )
]

const verbs = [
  'acl',
  'bind',
  'checkout',
  'copy',
  'delete',
  'get',
  'head',
  'link',
  'lock',
  'm-search',
  'merge',
  'mkactivity',
  'mkcalendar',
  'mkcol',
  'move',
  'notify',
  'options',
  'patch',
  'post',
  'propfind',
  'proppatch',
  'purge',
  'put',
  'rebind',
  'report',
  'search',
  'source',
  'subscribe',
  'trace',
  'unbind',
  'unlink',
  'unlock',
  'unsubscribe'
]

const methods = [
  program(
    'every method has its own registration',
    [...verbs.map((verb) => on(verb, '/x', say(verb))), use(undefined, step('rest'))],
    [...verbs.map((verb) => `${verb.toUpperCase()} /x`), ...verbs.map((verb) => `${verb.toUpperCase()} /y`)]
  ),

  program(
    'app.all handles every method once',
    [all('/all', step('a')), use('/all', say('b'))],
    verbs.map((verb) => `${verb.toUpperCase()} /all`)
  ),

  program(
    'router.all handles every method once',
    [use(router({}, all('/all', step('a')))), use('/all', say('b'))],
    verbs.map((verb) => `${verb.toUpperCase()} /all`)
  ),

  program(
    'app.all answers OPTIONS and router.all is silent about it',
    [
      all('/app', step('a')),
      use('/router', router({}, all('/x', step('b')))),
      get('/mix', step('c')),
      all('/mix', step('d')),
      use('/rmix', router({}, get('/x', step('e')), all('/x', step('f')))),
      route('/route', ['all', step('g')], ['get', step('h')])
    ],
    ['/app', '/router/x', '/mix', '/rmix/x', '/route'].flatMap((path) =>
      ['GET', 'HEAD', 'OPTIONS', 'POST'].map((verb) => `${verb} ${path}`)
    )
  ),

  program(
    'HEAD is served by GET handlers',
    [
      get('/x', step('a', ['set', 'X-A', '1'], ['send', 'hello'])),
      on('head', '/later', say('h')),
      get('/later', say('g')),
      get('/sooner', say('g2')),
      on('head', '/sooner', say('h2')),
      route('/route', ['get', say('g3')], ['head', step('h3', ['status', 204], ['end'])]),
      post('/post', say('p')),
      get('/json', step('j', ['json', { a: 1 }])),
      get('/write', step('w', ['write', 'x'], ['end'])),
      all('/all', say('all'))
    ],
    ['/x', '/later', '/sooner', '/route', '/post', '/json', '/write', '/all'].flatMap((path) => [
      `HEAD ${path}`,
      `GET ${path}`
    ])
  ),

  program(
    'HEAD runs parameter callbacks and sets req.route even on routes without GET',
    [
      param('id', 'p'),
      post('/:id', step('a')),
      use(undefined, step('b')),
      on('put', '/:id', step('c')),
      use(undefined, say('d'))
    ],
    ['HEAD /1', 'POST /1', 'PUT /1', 'GET /1', 'OPTIONS /1']
  ),

  program(
    'automatic OPTIONS',
    [
      get('/get', step('a')),
      post('/post', step('b')),
      get('/both', step('c')),
      post('/both', step('d')),
      on('put', '/both', step('e')),
      route('/route', ['get', step('f')], ['delete', step('g')], ['patch', step('h')]),
      on('options', '/own', step('i', ['send', 'mine'])),
      get('/own', step('j')),
      on('options', '/on', step('k')),
      get('/on', step('l')),
      post('/:any', step('m')),
      on('head', '/head', step('n')),
      get('/get', step('o')),
      on('m-search', '/get', step('q')),
      use('/use', step('r')),
      use('/set', step('s', ['status', 201], ['set', 'X-A', '1'], ['set', 'Content-Type', 'text/html'], ['next'])),
      get('/set', step('t')),
      use('/err', step('u', ['nextErr', 'bad', { status: 400 }])),
      get('/err', step('v')),
      on('options', '/fail', step('w', ['throw', 'bad'])),
      get('/fail', step('x'))
    ],
    [
      '/get',
      '/post',
      '/both',
      '/route',
      '/own',
      '/on',
      '/head',
      '/use',
      '/set',
      '/err',
      '/fail',
      '/',
      '/a/b',
      '/GET',
      '/get/'
    ].map((path) => `OPTIONS ${path}`)
  ),

  program(
    'a nested router answers OPTIONS with its own methods only',
    [
      get('/r/x', step('a')),
      use(
        '/r',
        router(
          {},
          post('/x', step('b')),
          use('/deep', router({}, on('put', '/y', step('c')))),
          get('/deep/y', step('d'))
        )
      ),
      on('delete', '/r/x', step('e')),
      use('/s', subApp({}, on('patch', '/x', step('f')))),
      get('/s/x', step('g')),
      use('/none', router({}, get('/other', step('h')))),
      get('/none/x', step('i')),
      on('options', '/opt/x', step('j')),
      use('/opt', router({}, get('/x', step('k'))))
    ],
    ['/r/x', '/r/deep/y', '/r', '/s/x', '/none/x', '/opt/x', '/none/other'].map((path) => `OPTIONS ${path}`)
  ),

  program(
    'OPTIONS after a changed method',
    [
      use('/to', step('a', ['rewriteMethod', 'OPTIONS'], ['next'])),
      get('/to', say('b')),
      use('/from', step('c', ['rewriteMethod', 'GET'], ['next'])),
      get('/from', say('d'))
    ],
    ['GET /to', 'POST /to', 'OPTIONS /to', 'GET /from', 'OPTIONS /from', 'POST /from']
  ),

  program(
    'OPTIONS star reaches pathless middleware',
    [use(undefined, step('a')), use('/', step('b')), use('/x', step('c')), get('/', step('d'))],
    ['OPTIONS *']
  ),

  program(
    'OPTIONS star may be answered',
    [use(undefined, show('a', 'url', 'path', 'baseUrl', 'originalUrl'))],
    ['OPTIONS *', 'OPTIONS /']
  ),

  program(
    'error and OPTIONS on parameters',
    [
      param('id', 'p', ['if', 'value', 'bad', [['nextErr', 'bad', { status: 400 }]], [['next']]]),
      get('/:id', step('a')),
      post('/:id', say('b'))
    ],
    ['OPTIONS /1', 'OPTIONS /bad', 'HEAD /bad', 'POST /bad', 'OPTIONS /%zz']
  )
]

export const files = { dispatch: order, next: nextValues, errors, methods }
