// router.param, req.params, mergeParams and decoding.

import {
  all,
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

const callbacks = [
  program(
    'a parameter callback runs before the layers that have the parameter',
    [
      param('id', 'p'),
      use(undefined, step('a')),
      get('/x/:id', step('b')),
      use('/x/:id', step('c')),
      get('/x/:other', step('d')),
      get('/x/y', step('e')),
      use('/:id', step('f')),
      use(undefined, say('end'))
    ],
    gets('/x/1', '/x/y', '/x', '/', '/x/1/2', '/x/a%20b')
  ),

  program(
    'callbacks run in the order of the path, not of registration',
    [
      param('b', 'pb'),
      param('a', 'pa'),
      param('a', 'pa2'),
      get('/:a/:b', show('x', 'params')),
      get('/:a/:b/:c', show('y', 'params')),
      get('/x/:b/:d/:a', show('z', 'params'))
    ],
    gets('/1/2', '/1/2/3', '/x/1/2/3', '/1')
  ),

  program(
    'app.param takes a list of names',
    [param(['id', 'name'], 'p'), get('/:name/:id', show('x', 'params')), use('/:id', say('y'))],
    gets('/a/b', '/c')
  ),

  program(
    'equal values call once per request and other values again',
    [
      param('id', 'p'),
      get('/:id', step('a')),
      get('/:id', step('b')),
      use('/:id', step('c')),
      get('/:x/:id', step('d')),
      get('/:id/:x', step('e')),
      use('/:id', step('f')),
      use(undefined, say('end'))
    ],
    gets('/1', '/1/1', '/1/2', '/2', '/a%62', '/ab')
  ),

  program(
    'what a callback writes is restored for later layers',
    [
      param('id', 'p', ['setParam', 'id', 'written'], ['next']),
      get('/:id', step('a')),
      get('/:id', step('b')),
      use('/:id', show('c', 'params'))
    ],
    gets('/1', '/2')
  ),

  program(
    'what a handler writes is not remembered',
    [
      param('id', 'p', ['next']),
      get('/:id', step('a', ['setParam', 'id', 'mine'], ['next'])),
      get('/:id', show('b', 'params'))
    ],
    gets('/1')
  ),

  program(
    'a callback may write other parameters',
    [
      param('a', 'pa', ['setParam', 'b', 'changed'], ['setParam', 'new', 'n'], ['next']),
      param('b', 'pb'),
      get('/:a/:b', step('x')),
      get('/:a/:b', show('y', 'params')),
      get('/:b/:a', show('z', 'params'))
    ],
    gets('/1/2', '/3/3')
  ),

  program(
    'callbacks chain and each sees the value of the path',
    [
      param('id', 'p1', ['setParam', 'id', 'one'], ['next']),
      param('id', 'p2', ['setParam', 'id', 'two'], ['next']),
      param('id', 'p3'),
      get('/:id', show('a', 'params'))
    ],
    gets('/x')
  ),

  program(
    'an error of a callback is remembered',
    [
      param('id', 'p', [
        'if',
        'value',
        'bad',
        [['nextErr', 'no', { status: 404 }]],
        [['if', 'value', 'worse', [['throw', 'down']], [['next']]]]
      ]),
      get('/:id', say('a')),
      use('/:id', catcher('b', ['forward'])),
      use('/:other', catcher('c', ['next'])),
      get('/:id', say('d')),
      use('/:id', say('e')),
      use(undefined, rescue('f'))
    ],
    gets('/ok', '/bad', '/worse', '/bad/x')
  ),

  program(
    'an error of the second callback',
    [
      param('id', 'p1'),
      param('id', 'p2', ['next', 'text']),
      param('id', 'p3'),
      get('/:id', say('a')),
      use(undefined, catcher('b', ['forward']))
    ],
    gets('/x')
  ),

  program(
    'next route in a callback skips the layer',
    [
      param('id', 'p', ['if', 'value', 'skip', [['next', 'route']], [['next']]]),
      param('id', 'q'),
      get('/:id', say('a')),
      use('/:id', step('b')),
      get('/:x', step('c')),
      get('/:y/:id', step('d')),
      use('/:id', step('e')),
      use(undefined, say('end'))
    ],
    gets('/skip', '/ok', '/skip/skip', '/skip/ok', '/ok/skip')
  ),

  program(
    'next router in a callback leaves the router',
    [
      use(
        '/r',
        router(
          {},
          param('id', 'p', ['if', 'value', 'out', [['next', 'router']], [['next']]]),
          get('/:id', say('a')),
          use(undefined, step('b'))
        )
      ),
      use(undefined, say('end'))
    ],
    gets('/r/out', '/r/in', '/r')
  ),

  program(
    'a callback may answer',
    [param('id', 'p', ['if', 'value', 'me', [['send', 'from p']], [['next']]]), get('/:id', say('a'))],
    gets('/me', '/you')
  ),

  program(
    'a callback that waits',
    [
      { ...param('id', 'p', ['if', 'value', 'bad', [['throw', 'late', { status: 403 }]], [['next']]]), async: true },
      param('id', 'q'),
      get('/:id', say('a')),
      use(undefined, catcher('b', ['forward']))
    ],
    gets('/x', '/bad')
  ),

  program(
    'an absent optional parameter calls nothing',
    [
      param('a', 'pa'),
      param('b', 'pb'),
      get('/x{/:a}{/:b}', show('x', 'params')),
      use('/y{/:a}', show('y', 'params', 'url', 'baseUrl'))
    ],
    gets('/x', '/x/1', '/x/1/2', '/y', '/y/1', '/y/1/2')
  ),

  program(
    'wildcards are given as lists and never remembered',
    [
      param('all', 'p'),
      get('/*all', step('a')),
      use('/*all', step('b')),
      get('/x/*all', step('c')),
      get('/*all', show('d', 'params'))
    ],
    gets('/1', '/1/2', '/x/1/2', '/a%2Fb/c', '/x/')
  ),

  program(
    'groups of regular expressions can be named by number',
    [
      param('0', 'p0'),
      param('name', 'pn'),
      get(re('^/(a|b)/(\\d+)$'), show('x', 'params')),
      get(re('^/n/(?<name>\\w+)$'), show('y', 'params')),
      use(re('^/u(\\d)'), show('z', 'params'))
    ],
    gets('/a/1', '/b/22', '/n/who', '/u1', '/u1/x', '/c/1')
  ),

  program(
    'callbacks are not inherited by nested routers',
    [
      param('id', 'outer'),
      use('/r/:id', router({}, get('/:id', show('a', 'params')))),
      use(
        '/m/:id',
        router(
          { mergeParams: true },
          param('id', 'inner'),
          param('x', 'never'),
          get('/', show('b', 'params')),
          get('/:id', show('c', 'params'))
        )
      ),
      use(
        '/s/:x',
        router(
          { mergeParams: true },
          param('x', 'innerx'),
          get('/:y', show('d', 'params')),
          get('/:y/:x', show('e', 'params'))
        )
      )
    ],
    gets('/r/1/2', '/r/1', '/m/1', '/m/1/2', '/m/1/1', '/s/1/2', '/s/1/2/3', '/s/1/2/1')
  ),

  program(
    'callbacks of an error handler with the parameter',
    [
      param('id', 'p'),
      use(undefined, step('a', ['throw', 'first'])),
      use('/:id', catcher('b', ['forward'])),
      use('/:id', catcher('c', ['forward'])),
      use(undefined, rescue('d'))
    ],
    gets('/1', '/')
  ),

  program(
    'a callback error while an error is pending',
    [
      param('id', 'p', ['nextErr', 'second', { status: 402 }]),
      use(undefined, step('a', ['nextErr', 'first', { status: 401 }])),
      use('/:id', catcher('b', ['forward'])),
      use(undefined, catcher('c', ['forward']))
    ],
    gets('/1', '/')
  ),

  program(
    'callbacks of the same router used twice run once per visit',
    [
      {
        use: '/a',
        nodes: [{ ...router({}, param('id', 'p'), get('/:id', step('x')), use('/:id', step('y'))), as: 'R' }]
      },
      { use: null, nodes: [{ ref: 'R' }] },
      { use: '/:top', nodes: [{ ref: 'R' }, { ref: 'R' }] },
      use(undefined, say('end'))
    ],
    gets('/a/1', '/a/a', '/b/1', '/1')
  ),

  program(
    'callbacks of a sub-application',
    [
      param('id', 'outer'),
      use(
        '/s',
        subApp({}, param(['id', 'n'], 'inner'), get('/:id/:n', show('a', 'params')), use('/:id', show('b', 'params')))
      ),
      get('/:id', say('c'))
    ],
    gets('/s/1/2', '/s/1', '/s', '/x')
  ),

  program(
    'routes see callbacks that were registered after them',
    [get('/:id', show('a', 'params')), param('id', 'p', ['setParam', 'id', 'late'], ['next'])],
    gets('/1')
  ),

  program(
    'unusual parameter names',
    [
      param('a b', 'pab'),
      get('/c/:constructor/:toString', show('a', 'params')),
      get('/q/:"a b"/:"x-y"', show('b', 'params')),
      get('/u/:$x/:_y/:ünï', show('c', 'params')),
      get('/n/:"0"/:"1"', show('d', 'params')),
      get('/w/*"the rest"', show('e', 'params')),
      get('/k/:class/:def/:None', show('f', 'params')),
      get('/esc/:"a\\"b"', show('g', 'params')),
      get('/h/:hasOwnProperty/:valueOf', show('h', 'params'))
    ],
    gets('/c/1/2', '/q/1/2', '/u/1/2/3', '/n/1/2', '/w/1/2', '/k/1/2/3', '/esc/1', '/h/1/2')
  ),

  program(
    'req.params of pathless middleware is empty',
    [
      use('/:a', router({}, use(undefined, step('x')), use('/:b', step('y')), use(undefined, show('z', 'params')))),
      use(undefined, show('end', 'params'))
    ],
    gets('/1/2', '/1', '/')
  ),

  program(
    'req.params is restored after a nested router',
    [
      get('/:a/:b', step('x')),
      use(
        '/:a',
        step('y', ['setParam', 'a', 'changed'], ['next']),
        step('z'),
        router({}, get('/:b', step('inner'))),
        step('after')
      ),
      use(undefined, show('end', 'params'))
    ],
    gets('/1/2', '/1')
  )
]

const options = [{}, { mergeParams: true }, { mergeParams: false }]
const merge = [
  ...options
    .map((outer) =>
      options
        .slice(0, 2)
        .map((inner) =>
          program(
            `mergeParams ${JSON.stringify(outer)} around ${JSON.stringify(inner)}`,
            [
              use(
                '/:a',
                router(
                  outer,
                  use(
                    '/:b',
                    router(
                      inner,
                      get('/:c', show('x', 'params')),
                      get('/q/:a', show('y', 'params')),
                      get('/', show('z', 'params'))
                    )
                  ),
                  get('/l/:a', show('w', 'params'))
                )
              ),
              use('/*w', router(outer, use(undefined, show('s', 'params'))))
            ],
            gets('/1/2/3', '/1/2/q/4', '/1/2', '/1/l/9', '/1/2/3/4')
          )
        )
    )
    .flat(),

  program(
    'mergeParams with numbered groups',
    [
      use(
        re('^/(\\w)(\\d)'),
        router(
          { mergeParams: true },
          get(re('^/(x)(y)?(z)'), show('a', 'params')),
          get('/:p', show('b', 'params')),
          use(re('^/(deep)'), router({ mergeParams: true }, get(re('/(\\w+)$'), show('c', 'params'))))
        )
      ),
      use(
        '/n/:"0"',
        router(
          { mergeParams: true },
          get('/:"0"', show('d', 'params')),
          get('/:"0"/:"1"', show('e', 'params')),
          get('/:"1"/x/:"2"', show('f', 'params'))
        )
      )
    ],
    gets('/a1/xyz', '/a1/xz', '/a1/q', '/a1/deep/e', '/n/1/2', '/n/1/2/3', '/n/1/2/x/3')
  ),

  program(
    'mergeParams with gaps in the numbers',
    [
      use(
        re('^/(a)(b)?(c)'),
        router(
          { mergeParams: true },
          get(re('^/(x)(y)'), show('a', 'params')),
          get(re('^/(q)?(r)'), show('b', 'params'))
        )
      )
    ],
    gets('/abc/xy', '/ac/xy', '/ac/r', '/abc/qr', '/abc/r')
  ),

  program(
    'mergeParams through sub-applications is not settable',
    [
      use(
        '/:a',
        subApp(
          {},
          get('/:b', show('a', 'params')),
          use('/:c', router({ mergeParams: true }, get('/:d', show('b', 'params'))))
        )
      )
    ],
    gets('/1/2', '/1/2/3')
  ),

  program(
    'mergeParams sees what the parent wrote',
    [
      param('a', 'p', ['setParam', 'a', 'from p'], ['next']),
      use(
        '/:a',
        step('x', ['setParam', 'more', 'm'], ['next']),
        router({ mergeParams: true }, get('/:b', show('y', 'params')))
      ),
      use('/:a', router({ mergeParams: true }, use(undefined, show('z', 'params'))))
    ],
    gets('/1/2', '/1')
  ),

  program(
    'mergeParams and same names at every level',
    [
      use(
        '/:id',
        router(
          { mergeParams: true },
          use('/:id', router({ mergeParams: true }, get('/:id', step('a')), get('/:other', show('b', 'params')))),
          use(undefined, show('c', 'params'))
        )
      )
    ],
    gets('/1/2/3', '/1/2', '/1')
  )
]

const decoding = [
  program(
    'captures are decoded exactly once',
    [
      get('/p/:x', show('a', 'params', 'url')),
      get('/w/*x', show('b', 'params')),
      get(re('^/r/(.*)$'), show('c', 'params')),
      use('/u/:x', show('d', 'params', 'url', 'baseUrl'))
    ],
    gets(
      ...[
        'a%20b',
        'a+b',
        '%2F',
        'a%2Fb',
        '%252F',
        '%00',
        '%C3%A9',
        '%E2%82%AC',
        '%F0%9F%98%80',
        'a%3Fb',
        'a%23b',
        '%25',
        'a:b',
        'a;b',
        "a'b",
        'a@b',
        '%41',
        '%c3%a9',
        'a%0Ab',
        '%7Bx%7D',
        '~x',
        'a=b&c',
        '.',
        '..',
        '%2e%2e'
      ].flatMap((value) => [`/p/${value}`, `/w/${value}/${value}`, `/r/${value}`, `/u/${value}/rest`])
    )
  ),

  program(
    'what cannot be decoded is a 400 error',
    [
      get('/p/:x', say('a')),
      get('/w/*x', say('b')),
      get(re('^/r/(.*)$'), say('c')),
      use('/u/:x', say('d')),
      use(
        '/e',
        router({}, get('/:x', say('e')), use(undefined, step('not')), use(undefined, catcher('f', ['forward'])))
      ),
      get('/lit/%zz', say('lit')),
      use(undefined, step('missed')),
      use(undefined, catcher('g', ['forward']))
    ],
    [
      ...gets(
        ...[
          '%',
          '%z',
          '%zz',
          '%2',
          '%C3',
          '%C3%28',
          '%E2%82',
          '%FF',
          'a%',
          '%ED%A0%80',
          '%C0%80',
          '%F8%A1%A1%A1%A1',
          'ok%20%zz'
        ].flatMap((value) => [`/p/${value}`, `/w/x/${value}`, `/r/${value}`, `/u/${value}/x`, `/e/${value}`])
      ),
      'GET /lit/%zz',
      'HEAD /p/%zz',
      'POST /p/%zz',
      'OPTIONS /p/%zz',
      'GET /other/%zz'
    ]
  ),

  program(
    'a pending error is kept when a later layer cannot decode',
    [
      use(undefined, step('a', ['nextErr', 'first', { status: 401 }])),
      use('/:x', catcher('b', ['forward'])),
      use(undefined, catcher('c', ['forward']))
    ],
    gets('/%zz', '/ok')
  ),

  program(
    'an error handler may clear a decoding error',
    [get('/:x', say('a')), use(undefined, catcher('b')), use(undefined, say('c'))],
    gets('/%zz', '/x', '/x/%zz')
  ),

  program(
    'registered text is not decoded',
    [
      get('/a b', say('a')),
      get('/a%20b', say('b')),
      get('/%2Fx', say('c')),
      use('/u v', say('d')),
      use('/u%20v', show('e', 'url', 'baseUrl')),
      get('/%41', say('f')),
      get('/x~y', say('g'))
    ],
    gets('/a%20b', '/%2Fx', '/%2fx', '//x', '/u%20v', '/u%20v/w', '/%41', '/A', '/a', '/x~y', '/x%7Ey')
  ),

  program(
    'parameters in many layers with one bad value',
    [
      use('/:a', step('u')),
      get('/:a/:b', step('v')),
      use('/:a/:b', step('w')),
      on('put', '/:a/:b', step('x')),
      all('/:a/*b', step('y')),
      use(undefined, catcher('z', ['show', 'url', 'params']))
    ],
    gets('/1/2', '/%zz/2', '/1/%zz', '/1/2/%zz', '/1/2%')
  ),

  program(
    'queries are not part of any parameter',
    [get('/:x', show('a', 'params', 'url', 'path')), post('/:x', show('b', 'params'))],
    [...gets('/a?b', '/a??b', '/a?b=%zz', '/a?b/c', '/a?x=/../y'), ['GET /a?', undefined, 'empty-query'], 'POST /a?b']
  ),

  program(
    'route objects share nothing between requests',
    [
      param('id', 'p', ['if', 'value', '1', [['setParam', 'id', 'one'], ['next']], [['next']]]),
      route(
        '/:id',
        ['get', show('a', 'params')],
        ['post', step('b', ['setParam', 'id', 'posted'], ['next'])],
        ['all', show('c', 'params')]
      )
    ],
    ['GET /1', 'GET /2', 'POST /1', 'POST /2', 'GET /1', 'PUT /1']
  )
]

export const files = { params: callbacks, 'params-merge': merge, decoding }
