// What the client prefers: accepts, acceptsCharsets, acceptsEncodings,
// acceptsLanguages, is, format; and ranges.

import { cases, gets, nothing, program, step, post, use } from '../lib/words.mjs'

const accept = (values) => [undefined, ...values.map((value) => ({ Accept: value }))]

const ACCEPT = [
  '*/*',
  '',
  'text/html',
  'application/json',
  'text/*',
  'text/*, application/json',
  'text/html;q=.5, application/json',
  'application/json;q=.2, text/html;q=0.3, */*;q=0.1',
  'text/plain, */*;q=0',
  'text/html;level=1, text/html;q=0.7, */*;q=0.5',
  'text/html;level="1"',
  'application/vnd.api+json',
  'TEXT/HTML',
  'text/html;q=0',
  'text/html;q=1.5',
  'text/html;q=x, text/plain;q=0.1',
  'image/*;q=0.8, image/png',
  'text / html',
  'html',
  '*/html',
  ',text/plain,,',
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'text/plain;format=flowed',
  'application/json; charset=utf-8',
  'text/html;q=0.5;level=1'
]

const types = cases(
  'accepts',
  [
    [['ask', ['accepts']]],
    [['ask', ['accepts', 'json'], ['accepts', 'html'], ['accepts', 'text'], ['accepts', 'png']]],
    [['ask', ['accepts', 'html', 'json'], ['accepts', ['json', 'html']], ['accepts', 'text', 'json', 'html']]],
    [['ask', ['accepts', 'text/html'], ['accepts', 'application/json'], ['accepts', '.json'], ['accepts', 'JSON']]],
    [['ask', ['accepts', 'text/*'], ['accepts', 'bogus'], ['accepts', 'bogus', 'html'], ['accepts', 'xml', 'html']]],
    [['ask', ['accepts', 'text/html;level=1', 'text/html'], ['accepts', 'text/plain;format=flowed', 'text']]],
    [['ask', ['accepts', 'image/png', 'image/webp', 'jpg'], ['accepts', 'application/vnd.api+json', 'json']]]
  ],
  accept(ACCEPT)
)

const formats = cases(
  'format',
  [
    [['format', { text: [['send', 'hey']], html: [['send', '<p>hey</p>']], json: [['send', { hey: 1 }]] }]],
    [['format', { 'text/plain': [['send', 'a']], 'application/json': [['json', 'b']], default: [['send', 'c']] }]],
    [['format', { default: [['send', 'c']] }]],
    [['format', { json: [['json', 'b']] }]],
    [['format', {}]],
    [
      ['set', 'Vary', 'Origin'],
      [
        'format',
        {
          html: [['send', 'a']],
          text: [
            ['status', 201],
            ['send', 'b']
          ]
        }
      ]
    ],
    [['format', { 'text/html; charset=iso-8859-1': [['send', 'x']], bogus: [['send', 'y']] }]],
    [
      [
        'format',
        { xml: [['send', '<a/>']], png: [['send', { $bytes: 'AAE=' }]], 'application/vnd.api+json': [['end']] }
      ]
    ],
    [
      ['type', 'css'],
      ['format', { text: [['next']], html: [['throw', 'no html', { status: 418 }]] }]
    ]
  ],
  [...accept(ACCEPT.filter((_, index) => index % 2 === 0)), ['HEAD', { Accept: 'text/html' }]]
)

const ENCODINGS = ['gzip', 'gzip, deflate', '*', '*;q=0', 'identity;q=0', 'gzip;q=0.5, br', 'GZIP', '', 'gzip;q=0']
ENCODINGS.push(
  'gzip;q=0.5, identity',
  'gzip;q=0, *',
  'deflate;q=.3,gzip;q=.3,br;q=.3',
  'bogus',
  'identity;q=0.2, gzip;q=0.1'
)
ENCODINGS.push('gzip;q=x', 'br;q=1.0, gzip;q=0.8, *;q=0.1', ' gzip ,deflate', '*;q=0.5, gzip;q=0')

const encodings = cases(
  'accepts encodings',
  [
    [['ask', ['acceptsEncodings'], ['acceptsEncodings', 'gzip'], ['acceptsEncodings', 'br', 'gzip']]],
    [
      ['ask', ['acceptsEncodings', 'gzip', 'deflate'], ['acceptsEncodings', 'identity'], ['acceptsEncodings', ['zstd']]]
    ],
    [['ask', ['acceptsEncodings', 'GZip'], ['acceptsEncodings', 'gzip, br'], ['acceptsEncodings', 'gzip', 'identity']]]
  ],
  [undefined, ...ENCODINGS.map((value) => ({ 'Accept-Encoding': value }))]
)

const CHARSETS = [
  'utf-8',
  '*',
  '',
  'utf-8;q=0',
  'iso-8859-1, utf-8;q=0.7',
  'UTF-8',
  '*;q=0.1, utf-8;q=0',
  'utf-8, *;q=0'
]
CHARSETS.push('foo, bar', 'iso-8859-5, unicode-1-1;q=0.8', 'utf-8;q=0.5, iso-8859-1;q=0.5', 'utf-8;q=a')

const charsets = cases(
  'accepts charsets',
  [
    [['ask', ['acceptsCharsets'], ['acceptsCharsets', 'utf-8'], ['acceptsCharsets', 'UTF-8', 'iso-8859-1']]],
    [['ask', ['acceptsCharsets', 'iso-8859-1', 'utf-8'], ['acceptsCharsets', ['foo', 'bar']]]]
  ],
  [undefined, ...CHARSETS.map((value) => ({ 'Accept-Charset': value }))]
)

const LANGUAGES = [
  'en',
  'en-US',
  'en;q=.5, fr',
  '*',
  '',
  'en-US, en;q=0.9, de;q=0',
  'EN-us',
  'fr-CH, fr;q=0.9, *;q=0.5'
]
LANGUAGES.push(
  'de',
  'zh-Hant-TW, zh;q=0.5',
  'en;q=0',
  'en, en-GB;q=0',
  'nl;q=0.5, fr,de,en;q=0.8,es',
  'x-klingon',
  'en_US'
)

const languages = cases(
  'accepts languages',
  [
    [['ask', ['acceptsLanguages'], ['acceptsLanguages', 'en'], ['acceptsLanguages', 'fr', 'en']]],
    [['ask', ['acceptsLanguages', 'en-US', 'en'], ['acceptsLanguages', 'en-GB'], ['acceptsLanguages', 'de-AT', 'DE']]],
    [['ask', ['acceptsLanguages', ['es', 'nl']], ['acceptsLanguages', 'zh-Hant'], ['acceptsLanguages', 'zh-TW', 'zh']]]
  ],
  [undefined, ...LANGUAGES.map((value) => ({ 'Accept-Language': value }))]
)

const CONTENT_TYPES = [
  'application/json',
  'text/html; charset=utf-8',
  'TEXT/HTML',
  'application/vnd.api+json',
  'bogus',
  ''
]
CONTENT_TYPES.push('multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', 'text/html;', 'text / html')
CONTENT_TYPES.push(
  'application/json;charset',
  'image/svg+xml',
  'text/',
  '*/*',
  'application/json, text/html',
  ' text/plain'
)

const isAsked = [
  ['ask', ['is'], ['is', 'json'], ['is', 'html'], ['is', 'text/*'], ['is', '*/*'], ['is', '+json'], ['is', '*/json']],
  ['ask', ['is', 'json', 'html'], ['is', ['text/html', 'application/*']], ['is', 'urlencoded'], ['is', 'multipart']],
  [
    'ask',
    ['is', 'application/*+json'],
    ['is', 'Application/JSON'],
    ['is', '.html'],
    ['is', 'bogus'],
    ['is', 'multipart/*']
  ]
]

const isProgram = program(
  'is',
  isAsked.map((asked, index) => use(`/${index}`, step(`i${index}`, asked))),
  isAsked.flatMap((_, index) => [
    `GET /${index}`,
    [`GET /${index}`, { 'Content-Type': 'application/json' }],
    [`POST /${index}`, { 'Content-Length': '0', 'Content-Type': 'application/json' }],
    [`POST /${index}`, undefined, undefined, { sent: 'x' }],
    ...CONTENT_TYPES.map((type) => [`POST /${index}`, { 'Content-Type': type }, undefined, { sent: '{}' }]),
    [`POST /${index}`, { 'Content-Type': 'text/html' }, undefined, { sent: 'abc', chunks: 2 }]
  ])
)

const RANGES = [
  'bytes=0-50',
  'bytes=0-',
  'bytes=-50',
  'bytes=50-',
  'bytes=0-0',
  'bytes=-0',
  'bytes=5-2',
  'bytes=200-300'
]
RANGES.push(
  'bytes=0-500',
  'bytes=0-4,5-9',
  'bytes=0-4,90-99,5-75',
  'bytes=40-80,81-90,-1',
  'users=0-2',
  'malformed',
  'bytes='
)
RANGES.push(
  'bytes=a-b',
  'bytes=1-2,x',
  'bytes=0-10,200-',
  'bytes=-500',
  'BYTES=1-2',
  'bytes = 1-2',
  'bytes=1-2-3',
  'bytes= 1 - 2 '
)
RANGES.push(
  '=0-1',
  'bytes=1-1,1-1',
  'bytes=+1-2',
  'bytes=0x1-2',
  'bytes=1.5-2',
  'bytes=-',
  'bytes=99-',
  'bytes=100-',
  'bytes=,1-2'
)

const ranges = cases(
  'range',
  [
    [['ask', ['range', 100], ['range', 100, { combine: true }]]],
    [['ask', ['range', 0], ['range', 1], ['range', 10000, { combine: true }]]]
  ],
  [undefined, ...RANGES.map((value) => ({ Range: value }))]
)

const getters = program(
  'get and header',
  [
    ...[[], [42], [nothing], [null]].map((args, index) =>
      use(`/bad${index}`, step(`b${index}`, ['ask', ['get', ...args]]))
    ),
    post('/', step('p', ['ask', ['get', 'content-type'], ['header', 'CONTENT-TYPE'], ['get', 'X-None']])),
    use(
      undefined,
      step('g', [
        'ask',
        ['get', 'Referer'],
        ['get', 'Referrer'],
        ['get', 'X-A'],
        ['get', 'x-a'],
        ['get', 'Accept'],
        ['get', 'Host']
      ])
    )
  ],
  [
    'GET /',
    ['GET /', { Referer: 'http://a/' }],
    ['GET /', { Referrer: 'http://b/' }],
    ['GET /', { Referrer: 'http://b/', Referer: 'http://a/' }],
    ['GET /', { 'X-A': 'one' }],
    ['GET /', { 'X-A': ['one', 'two'] }],
    ['GET /', { 'x-a': 'a\xe9' }],
    ['GET /', { Accept: ['text/html', 'text/plain'] }],
    ['POST /', { 'Content-Type': 'text/plain' }],
    ...gets('/bad0', '/bad1', '/bad2', '/bad3')
  ]
)

export const files = {
  accepts: [types, encodings, charsets, languages],
  formats: [formats],
  'is-and-range': [isProgram, ranges, getters]
}
