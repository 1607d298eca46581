// Who asks and whom: xhr, proxies, hosts, queries, cookies.

import { createHmac } from 'node:crypto'

import { cases, fn, get, gets, program, show, step, subApp, use } from '../lib/words.mjs'

const xhr = cases(
  'xhr',
  [[['show', 'xhr']]],
  [
    undefined,
    ...['XMLHttpRequest', 'xmlhttprequest', 'XMLHTTPREQUEST', 'Wget', '', 'XMLHttpRequest '].map((value) => ({
      'X-Requested-With': value
    }))
  ]
)

const FORWARDED = [
  undefined,
  { 'X-Forwarded-For': 'client' },
  { 'X-Forwarded-For': 'client, p1, p2' },
  { 'X-Forwarded-For': '203.0.113.7' },
  { 'X-Forwarded-For': '203.0.113.7, 10.0.0.2, 10.0.0.1' },
  { 'X-Forwarded-For': '203.0.113.7, 192.168.1.1, 172.16.3.4' },
  { 'X-Forwarded-For': '::ffff:10.0.0.1, 10.0.0.3' },
  { 'X-Forwarded-For': '2001:db8::1, fc00::5, fe80::1' },
  { 'X-Forwarded-For': '[::1]:8080, 127.0.0.1:99' },
  { 'X-Forwarded-For': ' a ,, b ,' },
  { 'X-Forwarded-For': '' },
  { 'X-Forwarded-For': ['1.1.1.1', '10.9.9.9'] },
  { 'X-Forwarded-For': '10.0.0.1, 169.254.1.1' },
  { 'X-Forwarded-Proto': 'https' },
  { 'X-Forwarded-Proto': 'https, http' },
  { 'X-Forwarded-Proto': ' HTTPS ' },
  { 'X-Forwarded-Proto': 'wss' },
  { 'X-Forwarded-Proto': '' },
  { 'X-Forwarded-Proto': ',https' },
  { 'X-Forwarded-Host': 'example.org:8080' },
  { 'X-Forwarded-Host': 'tobi.ferrets.example.com, proxy.local' },
  { 'X-Forwarded-Host': '' },
  { 'X-Forwarded-Host': ['a.test', 'b.test'] },
  { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'h.test', 'X-Forwarded-For': '198.51.100.1' }
]

const TRUST = [
  undefined,
  true,
  false,
  0,
  1,
  2,
  3,
  100,
  null,
  'loopback',
  'linklocal',
  'uniquelocal',
  'loopback, uniquelocal',
  ['loopback', 'linklocal', 'uniquelocal'],
  '127.0.0.1',
  '127.0.0.1, 10.0.0.0/8',
  ['127.0.0.0/255.0.0.0', '10.0.0.0/255.255.0.0'],
  ['127.0.0.1', '::1', 'fc00::/7'],
  ['127.0.0.1', '::ffff:10.0.0.0/104'],
  '10.0.0.0/8',
  [],
  fn('trust local'),
  fn('trust two')
]

const proxies = TRUST.map((trust) =>
  program(
    `trust proxy ${JSON.stringify(trust) ?? 'not set'}`,
    [use(undefined, show('p', 'ip', 'ips', 'protocol', 'secure', 'host', 'hostname', 'subdomains'))],
    FORWARDED.map((headers) => ['GET /', headers]),
    trust === undefined ? {} : { settings: { 'trust proxy': trust } }
  )
)

const refusedTrust = {
  name: 'values of trust proxy that are refused',
  registrations: [
    '',
    'bogus',
    '10.0.0.1,',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '10.0.0.0/-1',
    '::1/129',
    '10.0.0.0/x',
    '10.0.0.0/255.0.255.0',
    '1.2.3.4.5',
    ['loopback', 'x'],
    { a: 1 },
    '10.0.0.0/8',
    'loopback,linklocal',
    7,
    true
  ].map((value) => ({ on: 'app', entry: { set: ['trust proxy', value] } }))
}

const HOSTS = [
  'example.com',
  'tobi.ferrets.example.com',
  'example.com:3000',
  'EXAMPLE.com',
  '127.0.0.1',
  '127.0.0.1:80',
  '[::1]'
]
HOSTS.push(
  '[::1]:8080',
  'localhost',
  'user@example.com',
  'a.b.c.d.e.example.co.uk',
  'example.com:',
  '.example.com',
  'example.com.'
)
HOSTS.push('256.1.1.1', 'a..b.com', '')

const hosts = [undefined, 0, 1, 3, 10].map((offset) =>
  program(
    `hosts with subdomain offset ${offset ?? 'not set'}`,
    [use(undefined, show('h', 'host', 'hostname', 'subdomains'))],
    HOSTS.map((host) => ['GET /', { Host: host }]),
    offset === undefined ? {} : { settings: { 'subdomain offset': offset } }
  )
)

const QUERIES = [
  '',
  '?a',
  '?a=',
  '?a=1',
  '?a=1&b=2',
  '?a=1&a=2',
  '?a=1&a=2&a=3',
  '?=1',
  '?&&a=1&',
  '?a=1;b=2',
  '?a=b=c',
  '?a=x+y&b=x%20y',
  '?a=%',
  '?a=%zz&b=%41',
  '?a=%E9&b=%C3%A9',
  '?%61=1',
  '?a[b]=1',
  '?a[b][c]=1',
  '?a[b][c][d][e][f][g]=1',
  '?a[]=1&a[]=2',
  '?a[]=1',
  '?a[0]=1&a[1]=2',
  '?a[1]=2&a[0]=1',
  '?a[2]=x',
  '?a[19]=x&a[0]=y',
  '?a[20]=x',
  '?a[21]=x',
  '?a[100]=x&a[b]=y',
  '?a=1&a[b]=2',
  '?a[b]=2&a=1',
  '?a[b]=1&a[]=2',
  '?a[]=b&a[c]=d',
  '?a.b=1',
  '?a[b.c]=1',
  '?a[=1',
  '?a]=1',
  '?[a]=1',
  '?a[b=1',
  '?a[]b=1',
  '?a[][b]=1&a[][b]=2',
  '?__proto__=1',
  '?__proto__[x]=1',
  '?a[__proto__][x]=1',
  '?constructor=1&toString=2&hasOwnProperty=3',
  '?a[hasOwnProperty]=1&a[toString]=2',
  '?user[name]=tj&user[tags][]=a&user[tags][]=b',
  '?a%5Bb%5D=1',
  '?1=a&0=b&x=c',
  '?a[1]=a&a[x]=b',
  '?utf8=%E2%9C%93&a=1',
  '?a=1#b=2',
  '?a=1?b=2',
  '?a=/x/y&b=http://h/',
  '?a=%00',
  '?a=%F0%9F%98%80',
  '?a=%ED%A0%80',
  '?a=%2B%26%3D',
  '?a=,&b=1,2',
  '?a[0][b]=1&a[0][c]=2&a[1][b]=3',
  '?a[00]=1',
  '?a[-1]=1',
  '?a[]=&a[]',
  '?a[b]&a[c]',
  '?a=1&A=2'
]

const queries = [undefined, 'simple', 'extended', true, false, fn('query text'), fn('query list')].map((parser) =>
  program(
    `query parser ${JSON.stringify(parser) ?? 'not set'}`,
    [use(undefined, show('q', 'query'))],
    gets(
      ...QUERIES.map((query) => `/${query}`),
      `/?${Array.from({ length: 25 }, (_, index) => `a=${index}`).join('&')}`,
      `/?${Array.from({ length: 1005 }, (_, index) => `k${index}`).join('&')}`
    ).filter((_, index) => parser === undefined || parser === 'extended' || index % 2 === 0),
    parser === undefined ? {} : { settings: { 'query parser': parser } }
  )
)

const refusedSettings = {
  name: 'values of other settings that are refused',
  registrations: [
    ['query parser', 'bogus'],
    ['query parser', 1],
    ['query parser', null],
    ['query parser', 'extended'],
    ['query parser', fn('query text')],
    ['etag', 'bogus'],
    ['etag', 0],
    ['etag', null],
    ['etag', []],
    ['etag', 'strong'],
    ['etag', fn('etag none')],
    ['etag', { $undefined: true }]
  ].map((entry) => ({ on: 'app', entry: { set: entry } }))
}

const rewritten = program(
  'the query follows req.url',
  [
    use(undefined, step('r', ['rewriteUrl', '/x?b=2&c=3'], ['next'])),
    get('/x', show('q', 'query', 'url', 'originalUrl'))
  ],
  gets('/?a=1', '/y', '/x?z')
)

const seal = (value, secret) =>
  encodeURIComponent(`s:${value}.${createHmac('sha256', secret).update(value).digest('base64').replace(/=+$/, '')}`)

const COOKIES = [
  undefined,
  'a=1',
  'a=1; b=2',
  'a=1;b=2',
  'a=1; a=2',
  'a="quoted"',
  'a="half',
  'a=%20x%2F',
  'a=%E9',
  'a=%zz',
  'a',
  'a; b=2',
  'a=',
  'a=b=c',
  ' a = 1 ',
  '',
  ';;',
  'a=j:{"b":1}',
  'a=j%3A%7B%22b%22%3A%5B1%5D%7D',
  'a=j:broken',
  'a=j:',
  'a=j:null; b=j:0; c=j:"x"; d=j:[]',
  'a=s:unsigned',
  'toString=1; hasOwnProperty=2',
  'a=é'.replace('é', '\xe9'),
  `u=${seal('tobi', 'keyboard cat')}`,
  `u=${seal('tobi', 'old secret')}`,
  `u=${seal('tobi', 'wrong')}`,
  `u=${seal('tobi', 'keyboard cat')}x`,
  `u=${seal('j:{"id":7}', 'keyboard cat')}; v=plain`,
  `u=${seal('', 'keyboard cat')}`,
  'u=s:; v=s:.; w=s:a.b.c',
  `u=${seal('tobi', 'keyboard cat')}; u=other`
]

const cookies = [undefined, 'keyboard cat', ['keyboard cat', 'old secret']].map((secrets) =>
  program(
    `cookies with ${secrets === undefined ? 'no secret' : `${[].concat(secrets).length} secrets`}`,
    [
      use(undefined, { parser: 'cookies', ...(secrets && { secrets }) }),
      use(undefined, show('c', 'cookies', 'signedCookies'))
    ],
    [
      ...COOKIES.map((value) => ['GET /', value === undefined ? undefined : { Cookie: value }]),
      ['GET /', { Cookie: '__proto__=1; b=2' }, 'prototype-names']
    ]
  )
)

const twoHeaders = program(
  'several Cookie headers',
  [use(undefined, { parser: 'cookies' }), use(undefined, show('c', 'cookies'))],
  [
    ['GET /', { Cookie: ['a=1', 'b=2'] }],
    ['GET /', { Cookie: ['a=1', 'a=2; c=3'] }]
  ]
)

const inSubApps = program(
  'requests in applications below see the settings of theirs',
  [
    use(
      '/own',
      subApp(
        { 'trust proxy': false, 'query parser': 'extended', 'subdomain offset': 1 },
        use(undefined, show('o', 'ip', 'host', 'query', 'subdomains'))
      )
    ),
    use('/inherits', subApp({}, use(undefined, show('i', 'ip', 'host', 'query', 'subdomains')))),
    use(
      '/deep',
      subApp({}, use('/er', subApp({ 'trust proxy': 1 }, use(undefined, show('d', 'ip', 'ips', 'protocol')))))
    ),
    use(undefined, show('top', 'ip', 'host', 'query', 'subdomains'))
  ],
  ['/own?a[b]=1', '/inherits?a[b]=1', '/deep/er', '/?a[b]=1'].flatMap((target) =>
    FORWARDED.filter((_, index) => [0, 4, 13, 19, 20, 23].includes(index)).map((headers) => [`GET ${target}`, headers])
  ),
  { settings: { 'trust proxy': true, 'subdomain offset': 3 } }
)

export const files = {
  proxies: [...proxies, refusedTrust],
  hosts: [xhr, ...hosts, inSubApps],
  queries: [...queries, rewritten, refusedSettings],
  'cookies-read': [...cookies, twoHeaders]
}
