// Views with an engine of a few lines; and settings that are inherited.

import { catcher, get, program, show, step, subApp, use } from '../lib/words.mjs'

const VIEWS = { $file: 'views' }
const MORE = { $file: 'more' }
const engine = (extension, as = 'engine json') => ({ engine: extension, as })
const failing = use(undefined, catcher('error', ['showError', 'message']))
const view = (settings, before, cases, requests) => ({ settings, before, cases, requests })

const RENDERS = [
  ['user'],
  ['user', {}],
  ['user.tmpl'],
  ['user', { title: 't' }],
  ['user', { title: 't', user: { name: 'n' } }],
  ['name'],
  ['blog'],
  ['blog/index'],
  ['sub/inner'],
  ['sub/inner.tmpl'],
  ['./user'],
  ['with.dot.tmpl'],
  ['none'],
  ['none.tmpl'],
  ['page.other'],
  ['page'],
  ['only'],
  ['noext'],
  ['sub'],
  ['']
]

const worlds = [
  ['view engine', view({ views: VIEWS, 'view engine': 'tmpl' }, [engine('tmpl')])],
  ['view engine with a dot', view({ views: VIEWS, 'view engine': '.tmpl' }, [engine('.tmpl')])],
  ['several directories', view({ views: [MORE, VIEWS], 'view engine': 'tmpl' }, [engine('tmpl')])],
  ['several directories, the other way', view({ views: [VIEWS, MORE], 'view engine': 'tmpl' }, [engine('tmpl')])],
  ['three directories', view({ views: [VIEWS, MORE, { $file: 'site' }], 'view engine': 'tmpl' }, [engine('tmpl')])],
  ['no view engine', view({ views: VIEWS }, [engine('tmpl')])],
  ['a second engine', view({ views: VIEWS, 'view engine': 'tmpl' }, [engine('tmpl'), engine('other')])],
  ['an engine that fails', view({ views: VIEWS, 'view engine': 'tmpl' }, [engine('tmpl', 'engine fails')])],
  ['an engine that sees settings', view({ views: VIEWS, 'view engine': 'tmpl' }, [engine('tmpl', 'engine settings')])],
  ['view cache', view({ views: VIEWS, 'view engine': 'tmpl', 'view cache': true }, [engine('tmpl')])],
  ['no directory', view({ views: { $file: 'nowhere' }, 'view engine': 'tmpl' }, [engine('tmpl')])]
]

// There is no module to load an engine from.
const noEngine = (name, args) => ['page.other', 'with.dot'].includes(args[0]) && name !== 'a second engine'

const renders = worlds.map(([name, { settings, before }]) =>
  program(
    `render with ${name}`,
    [
      ...before,
      ...RENDERS.map((args, index) => get(`/${index}`, step(`r${index}`, ['render', ...args]))),
      ...(name === 'view engine' ? [] : [failing])
    ],
    RENDERS.flatMap((args, index) => {
      const words = noEngine(name, args) && name !== 'view engine' ? 'view-engines' : undefined
      return name === 'view cache'
        ? [
            [`GET /${index}`, undefined, words],
            [`GET /${index}`, undefined, words]
          ]
        : [[`GET /${index}`, undefined, words]]
    }),
    { settings }
  )
)

const locals = program(
  'locals merge',
  [
    engine('tmpl'),
    { locals: { title: 'app', user: 'app', shared: 'app' } },
    use(undefined, step('l', ['local', 'user', 'res'], ['local', 'own', 'res'], ['next'])),
    get('/a', step('a', ['render', 'user'])),
    get('/b', step('b', ['render', 'user', { title: 'options' }])),
    get('/c', step('c', ['render', 'user', { user: 'options', own: null }])),
    get('/d', step('d', ['local', 'title', 'res'], ['render', 'user', { shared: { a: 1 } }])),
    get('/e', step('e', ['status', 201], ['type', 'text/x'], ['render', 'user'])),
    get('/f', step('f', ['render', 'user', { title: 'é<&>' }])),
    get('/g', step('g', ['local', 'own', 'again'], ['next']), step('g2', ['render', 'name'])),
    use('/sub', {
      app: {
        settings: { views: MORE },
        stack: [
          { locals: { title: 'sub' } },
          get('/a', step('sa', ['render', 'user'])),
          get('/b', step('sb', ['local', 'shared', 'sub'], ['render', 'only', { title: 'o' }])),
          get('/c', step('sc', ['render', 'name']))
        ]
      }
    }),
    failing
  ],
  ['/a', '/b', '/c', '/d', '/e', '/f', '/g', '/sub/a', '/sub/b', '/sub/c'].flatMap((path) => [
    `GET ${path}`,
    `HEAD ${path}`,
    [`GET ${path}`, { 'If-None-Match': '*' }]
  ]),
  { settings: { views: VIEWS, 'view engine': 'tmpl' } }
)

// Settings ------------------------------------------------------------------

const NAMES = [
  'x-powered-by',
  'etag',
  'env',
  'query parser',
  'subdomain offset',
  'jsonp callback name',
  'trust proxy',
  'json spaces',
  'json escape',
  'json replacer',
  'view engine',
  'case sensitive routing',
  'strict routing',
  'custom',
  'hasOwnProperty',
  'toString',
  '__proto__',
  'none',
  'view cache'
]
const VALUES = {
  etag: 'strong',
  'query parser': 'extended',
  'subdomain offset': 3,
  'jsonp callback name': 'cb',
  'json spaces': 2,
  'json escape': true,
  'view engine': 'tmpl',
  custom: 'mine',
  'x-powered-by': false,
  'trust proxy': 1,
  'strict routing': true
}

const settingsOf = (prefix) =>
  NAMES.map((name, index) => get(`/${index}`, step(`${prefix}${index}`, ['setting', name])))
const inheritance = [
  ['nothing set', {}, {}],
  ['the parent sets', VALUES, {}],
  ['the child sets', {}, VALUES],
  [
    'both set',
    VALUES,
    Object.fromEntries(
      Object.keys(VALUES).map((key) => [
        key,
        { etag: false, 'query parser': 'simple', 'subdomain offset': 1 }[key] ??
          (key === 'trust proxy' ? false : key === 'json spaces' ? 0 : key)
      ])
    )
  ],
  ['names of objects', { hasOwnProperty: true, toString: 'x' }, { custom: 1 }]
].map(([name, parent, child]) =>
  program(
    `settings: ${name}`,
    [
      ...settingsOf('p'),
      use('/child', subApp(child, ...settingsOf('c'), use('/grand', subApp({}, ...settingsOf('g')))))
    ],
    NAMES.flatMap((setting, index) => {
      // Ours is told by the setting env alone.
      const tag = setting === 'view cache' ? 'view-cache' : undefined
      return [`/${index}`, `/child/${index}`, `/child/grand/${index}`].map((path) => [`GET ${path}`, undefined, tag])
    }),
    { settings: parent }
  )
)

const effects = program(
  'settings have their effect in children',
  [
    use(
      '/a',
      subApp(
        {},
        get('/json', step('aj', ['json', { a: '<' }])),
        get('/jsonp', step('ap', ['jsonp', { a: 1 }])),
        get('/Case', step('ac', ['send', 'case'])),
        get('/ip', show('ai', 'ip', 'query'))
      )
    ),
    use(
      '/b',
      subApp(
        { 'json spaces': 0, 'json escape': false, etag: 'strong', 'x-powered-by': true },
        get('/json', step('bj', ['json', { a: '<' }])),
        get('/jsonp', step('bp', ['jsonp', { a: 1 }])),
        get('/ip', show('bi', 'ip', 'query'))
      )
    ),
    get('/json', step('j', ['json', { a: '<' }])),
    get('/jsonp', step('p', ['jsonp', { a: 1 }])),
    get('/ip', show('i', 'ip', 'query'))
  ],
  ['', '/a', '/b'].flatMap((at) => [
    `GET ${at}/json`,
    `GET ${at}/jsonp?cb=x&callback=y`,
    [`GET ${at}/ip?a[b]=c`, { 'X-Forwarded-For': '1.2.3.4' }],
    `GET ${at}/Case`,
    `GET ${at}/case`,
    `GET ${at}/json/`
  ]),
  {
    settings: {
      'json spaces': 2,
      'json escape': true,
      etag: false,
      'jsonp callback name': 'cb',
      'query parser': 'extended',
      'trust proxy': true,
      'x-powered-by': false,
      'case sensitive routing': true,
      'strict routing': true
    }
  }
)

export const files = { views: [...renders, locals], settings: [...inheritance, effects] }
