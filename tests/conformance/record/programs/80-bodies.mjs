// The body parsers: json, urlencoded, text, raw.

import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'

import { base64, catcher, fn, number, program, sending, step, use } from '../lib/words.mjs'

const JSON_TYPE = { 'Content-Type': 'application/json' }
const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' }
const TEXT_TYPE = { 'Content-Type': 'text/plain' }
const RAW_TYPE = { 'Content-Type': 'application/octet-stream' }

const FIELDS = ['type', 'status', 'message', 'expose', 'limit', 'length', 'expected', 'charset', 'encoding']

const parsing = (name, kind, options, requests, ...more) =>
  program(
    `${kind} ${name}`,
    [
      use(undefined, { parser: kind, ...(options && { options }) }, ...more),
      use(undefined, step('body', [name.startsWith('limit') ? 'showSize' : 'show', 'body'])),
      use(undefined, catcher('error', ['showError', ...FIELDS]))
    ],
    requests
  )

const post = (headers, body, more, difference) => sending('POST /', headers, body, more, difference)
const typed = (type, ...values) => ({ ...type, 'Content-Type': `${type['Content-Type']}${values.join('')}` })

// What all of them have ------------------------------------------------------

const SAMPLE = {
  json: { type: JSON_TYPE, good: '{"a":1}', long: (size) => ({ join: ['["', { repeat: ['x', size - 4] }, '"]'] }) },
  urlencoded: { type: FORM_TYPE, good: 'a=1&b=2', long: (size) => ({ join: ['a=', { repeat: ['x', size - 2] }] }) },
  text: { type: TEXT_TYPE, good: 'hello', long: (size) => ({ repeat: ['x', size] }) },
  raw: { type: RAW_TYPE, good: 'hello', long: (size) => ({ repeat: ['x', size] }) }
}

const encoded = (content, encoding) =>
  base64({ gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, raw: deflateRawSync }[encoding](content))

const zipped = (type, content, encoding, more, difference) =>
  post({ ...type, 'Content-Encoding': encoding }, encoded(content, encoding), more, difference)

const common = ([kind, { type, good, long }]) => {
  const cut = (content, encoding, by) => {
    const { base64: text } = encoded(content, encoding)
    const whole = Buffer.from(text, 'base64')
    return base64(whole.subarray(0, whole.length - by))
  }
  const flipped = (content, encoding) => {
    const whole = Buffer.from(encoded(content, encoding).base64, 'base64')
    whole[Math.floor(whole.length / 2)] ^= 0xff
    whole[1] ^= 0xff
    return base64(whole)
  }
  const coded = (encoding, body, more, difference) =>
    post({ ...type, 'Content-Encoding': encoding }, body, more, difference)
  return [
    parsing('which bodies', kind, undefined, [
      'GET /',
      'POST /',
      ['POST /', type],
      post(type, good),
      post(type, good, { chunks: 3 }),
      post(type, good, { chunks: 1 }),
      post(type, '', {}),
      post({ ...type, 'Content-Length': '0' }, ''),
      post(type, '', { chunks: 5 }),
      sending('GET /', type, good),
      sending('PUT /', type, good),
      sending('DELETE /', type, good),
      post({}, good),
      post({ 'Content-Type': '' }, good),
      post({ 'Content-Type': 'image/png' }, good),
      post({ 'Content-Type': type['Content-Type'].toUpperCase() }, good),
      post(typed(type, ';'), good),
      post(typed(type, '; foo=bar'), good),
      post(typed(type, ' ; charset=utf-8'), good),
      post({ 'Content-Type': 'application/vnd.api+json' }, good),
      post({ 'Content-Type': 'text/html' }, good),
      post({ 'Content-Type': `x${type['Content-Type']}` }, good),
      post({ 'Content-Type': 'nonsense' }, good)
    ]),
    parsing('content codings', kind, undefined, [
      ...['gzip', 'deflate', 'br'].flatMap((encoding) => [
        zipped(type, good, encoding),
        zipped(type, good, encoding, { chunks: 7 }),
        coded(encoding, good),
        coded(encoding, ''),
        coded(encoding, cut(good, encoding, 1)),
        coded(encoding, cut(good, encoding, 4)),
        coded(encoding, flipped(good, encoding)),
        coded(
          encoding,
          { join: [encoded(good, encoding), 'trailing'] },
          {},
          encoding === 'gzip' ? undefined : 'trailing-garbage'
        ),
        coded(encoding, base64('\u0000\u0000\u0000\u0000'))
      ]),
      coded('GZIP', encoded(good, 'gzip')),
      coded('identity', good),
      coded('IDENTITY', good),
      coded('', good),
      coded('bogus', good),
      coded('gzip, br', encoded(good, 'gzip')),
      coded('x-gzip', encoded(good, 'gzip')),
      coded('deflate', encoded(good, 'raw')),
      coded('gzip', { join: [encoded(good, 'gzip'), encoded(good, 'gzip')] }),
      coded('gzip', encoded('x'.repeat(200 * 1024), 'gzip')),
      coded('deflate', encoded('x'.repeat(200 * 1024), 'deflate')),
      coded('br', encoded('x'.repeat(200 * 1024), 'br')),
      coded('gzip', encoded('x'.repeat(200 * 1024), 'gzip'), { chunks: 50 })
    ]),
    parsing('without inflate', kind, { inflate: false }, [
      post(type, good),
      ...['gzip', 'deflate', 'br', 'bogus', 'GZIP', 'identity'].map((encoding) => coded(encoding, good))
    ]),
    ...[undefined, 1024, '1kb', '1.5kb', '2 KB', '2048', 0, null, number('Infinity'), '1mb'].map((limit) => {
      const bytes = {
        undefined: 102400,
        1024: 1024,
        '1kb': 1024,
        '1.5kb': 1536,
        '2 KB': 2048,
        2048: 2048,
        0: 0,
        null: 102400
      }[limit]
      return parsing(`limit ${JSON.stringify(limit) ?? 'not set'}`, kind, limit === undefined ? undefined : { limit }, [
        post(type, good),
        post(type, good, { chunks: 4 }),
        ...(bytes
          ? [
              post(type, long(bytes)),
              post(type, long(bytes + 1)),
              post(type, long(bytes), { chunks: 1000 }),
              post(type, long(bytes + 1), { chunks: 1000 })
            ]
          : [post(type, long(5000))]),
        zipped(type, kind === 'json' ? `["${'x'.repeat(1020)}"]` : 'x'.repeat(1024), 'gzip'),
        zipped(type, kind === 'json' ? `["${'x'.repeat(1021)}"]` : 'x'.repeat(1025), 'gzip')
      ])
    }),
    ...[
      ['text/x', { type: 'text/x' }],
      ['list', { type: ['text/x', 'application/y'] }],
      ['extension', { type: 'html' }],
      ['wildcard', { type: 'text/*' }],
      ['any', { type: '*/*' }],
      ['suffix', { type: '+json' }],
      ['always', { type: fn('type always') }],
      ['never', { type: fn('type never') }],
      ['by header', { type: fn('type by header') }],
      ['throws', { type: fn('type throws') }]
    ].map(([name, options]) =>
      parsing(`type ${name}`, kind, options, [
        'GET /',
        post(type, good),
        post({ 'Content-Type': 'text/x' }, good),
        post({ 'Content-Type': 'text/x; charset=utf-8' }, good),
        post({ 'Content-Type': 'application/y' }, good),
        post({ 'Content-Type': 'text/html' }, good),
        post({ 'Content-Type': 'application/z+json' }, good),
        post({}, good),
        post({ 'X-Parse': 'yes' }, good),
        post({ 'X-Parse': 'yes', 'Content-Type': 'image/png' }, good)
      ])
    ),
    ...['verify refuses a', 'verify refuses with a status', 'verify notes'].map((verify) =>
      parsing(verify, kind, { verify: fn(verify) }, [
        post(type, good),
        post(type, kind === 'json' ? '[]' : 'b'),
        post(type, kind === 'json' ? '[a' : 'abc'),
        post(type, ''),
        post(typed(type, '; charset=bogus'), good),
        post(typed(type, '; charset=iso-8859-1'), kind === 'json' ? '[]' : 'b'),
        zipped(type, 'ab', 'gzip'),
        zipped(type, kind === 'json' ? '[]' : 'b', 'deflate')
      ])
    ),
    parsing('twice', kind, undefined, [post(type, good), post(type, '')], { parser: kind }),
    parsing(
      'after others',
      kind,
      undefined,
      [JSON_TYPE, FORM_TYPE, TEXT_TYPE, RAW_TYPE].flatMap((each) => [post(each, good), post(each, '[]')]),
      { parser: 'json' },
      { parser: 'urlencoded' },
      { parser: 'text' },
      { parser: 'raw' }
    )
  ]
}

// json -----------------------------------------------------------------------

const DOCUMENTS = [
  '{}',
  '[]',
  '{"a":1}',
  ' {"a":1}',
  '\n\t [1]\r\n',
  '{"a":1} ',
  'null',
  'true',
  '1',
  '"text"',
  '-0',
  '[-0]',
  '[1.0]',
  '[1e3]',
  '[0.1]'
]
DOCUMENTS.push(
  '',
  ' ',
  '\n',
  '{',
  '[',
  '{]',
  '{"a"',
  '{"a":',
  '{"a":}',
  '{a:1}',
  "{'a':1}",
  '[1,]',
  '{"a":1,}',
  '[1 2]',
  '[01]',
  '[+1]',
  '[.5]',
  '[1.]'
)
DOCUMENTS.push(
  '[NaN]',
  '[Infinity]',
  '[-Infinity]',
  '[undefined]',
  '["\t"]',
  '["\\x41"]',
  '["\\u00e9"]',
  '["é❤😀"]',
  '["\\ud83d\\ude00"]',
  '["\\ud83d"]',
  '[0x10]'
)
DOCUMENTS.push(
  '{"a":1}{',
  '{"a":1}x',
  '[1]//x',
  '/**/[1]',
  '{"a":1,"a":2}',
  '{"__proto__":{"x":1}}',
  '{"constructor":1}',
  '{"1":1,"0":2,"a":3}',
  '{"":1}'
)
DOCUMENTS.push(
  '[12345678901234567]',
  '[1e400]',
  '[123456789012345678901234567890]',
  '\ufeff{"a":1}',
  '\ufeff',
  'a',
  '\u00a0{}',
  '\u2028[]',
  '[\u00a01]',
  '\f{}'
)
DOCUMENTS.push(
  '["\u2028"]',
  '["\u0000"]',
  '{"a":{"b":{"c":[[[{}]]]}}}',
  `${'['.repeat(50)}${']'.repeat(50)}`,
  '["a\\',
  '["a',
  '"',
  '[tru]',
  'nul',
  'TRUE',
  '[True]'
)

// Numbers that JavaScript cannot hold, or writes otherwise.
const LARGE = new Set(['[12345678901234567]', '[1e400]', '[123456789012345678901234567890]'])
const numbers = (document) =>
  ['[1.0]', '[1e3]'].includes(document) ? 'json-floats' : LARGE.has(document) ? 'json-numbers' : undefined

const json = [
  ...[undefined, { strict: false }, { strict: true, reviver: fn('reviver shouts') }].map((options) =>
    parsing(
      `documents with ${JSON.stringify(options) ?? 'no options'}`,
      'json',
      options,
      DOCUMENTS.map((document) => post(JSON_TYPE, document, {}, numbers(document)))
    )
  ),
  parsing('charsets', 'json', undefined, [
    ...[
      'utf-8',
      'UTF-8',
      'utf8',
      '"utf-8"',
      'utf-16',
      'utf-16le',
      'utf-16be',
      'utf-32',
      'utf-7',
      'utf-9',
      'iso-8859-1',
      'bogus',
      '',
      'us-ascii'
    ].map((charset) =>
      post(typed(JSON_TYPE, `; charset=${charset}`), '{"a":"é"}', {}, charset === 'utf-7' ? 'charset-names' : undefined)
    ),
    post(typed(JSON_TYPE, '; charset=utf-16'), base64(Buffer.from('\ufeff{"a":"é"}', 'utf16le'))),
    post(typed(JSON_TYPE, '; charset=utf-16le'), base64(Buffer.from('{"a":"é"}', 'utf16le'))),
    post(typed(JSON_TYPE, '; charset=utf-16'), base64(Buffer.from('{"a":"é"}', 'utf16le'))),
    post(typed(JSON_TYPE, '; charset=utf-16be'), base64(Buffer.from('\ufeff{"a":"é"}', 'utf16le').swap16())),
    post(JSON_TYPE, base64(Buffer.from('{"a":"é"}', 'latin1')), {}, 'broken-charset'),
    post(JSON_TYPE, base64(Buffer.from([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d])), {}, 'broken-charset'),
    post(JSON_TYPE, base64(Buffer.from([0xef, 0xbb, 0xbf, 0x5b, 0x5d]))),
    post({ 'Content-Type': 'application/json; charset=utf-8; charset=bogus' }, '[]'),
    post({ 'Content-Type': 'application/json; a="b; charset=bogus"' }, '[]')
  ]),
  parsing('type of the API', 'json', { type: ['application/*+json', 'json'] }, [
    post({ 'Content-Type': 'application/vnd.api+json' }, '{"a":1}'),
    post(JSON_TYPE, '{"a":1}'),
    post({ 'Content-Type': 'text/json' }, '{"a":1}')
  ])
]

// urlencoded -----------------------------------------------------------------

const FORMS = [
  'a=1',
  'a=1&b=2',
  'a=1&a=2&a=3',
  'a',
  'a=',
  '=1',
  '&',
  '&&a=1&&',
  'a=b=c',
  'a=x+y',
  'a=%20%2B',
  'a=%',
  'a=%zz',
  'a=%E9',
  'a=%C3%A9',
  'a=é'
]
FORMS.push(
  'a[b]=1',
  'a[b][c]=1',
  'a[]=1',
  'a[]=1&a[]=2',
  'a[0]=x&a[1]=y',
  'a[1]=y&a[0]=x',
  'a[5]=x',
  'a[100]=x',
  'a[101]=x',
  'a[99]=x&a=y',
  'a.b=1',
  'a[b'
)
FORMS.push(
  'a]b=1',
  '[a]=1',
  'a[b]c=1',
  'a[][b]=1&a[][c]=2',
  'a=1&a[b]=2',
  'a[b]=2&a=1',
  '__proto__=1',
  '__proto__[x]=1',
  'a[__proto__]=1&b=2',
  'constructor=1'
)
FORMS.push(
  'toString=1&hasOwnProperty=2',
  'a[hasOwnProperty]=1',
  'utf8=%E2%9C%93&a=%C3%A9',
  'utf8=%26%2310003%3B&a=%E9',
  'a=%26%239786%3B',
  'a=&#9786;',
  'a;b=1',
  'a=1;b=2'
)
FORMS.push(
  '1=a&0=b',
  'a[1]=x&a[b]=y',
  'a%5Bb%5D=1',
  'a%5b0%5d=1',
  ' a = 1 ',
  'a=\n',
  'a=%00',
  'a[b][c][d][e][f][g]=1',
  'a[ b ]=1',
  'a[b]&c',
  'a[]=&a[]',
  'x=%F0%9F%98%80'
)
FORMS.push('user[name][first]=Tobi', '\ufeffa=1', '=', 'a==', '?a=1', 'a=1#b')

const FORM_OPTIONS = [
  undefined,
  { extended: false },
  { extended: true },
  { extended: true, charsetSentinel: true },
  { charsetSentinel: true, defaultCharset: 'iso-8859-1' },
  { extended: true, interpretNumericEntities: true, defaultCharset: 'iso-8859-1' },
  { defaultCharset: 'iso-8859-1' }
]
const nested = (depth) => `a${'[b]'.repeat(depth)}=1`
const many = (count) => Array.from({ length: count }, (_, index) => `k${index}=${index}`).join('&')

const forms = [
  ...FORM_OPTIONS.map((options) =>
    parsing(`forms with ${JSON.stringify(options) ?? 'no options'}`, 'urlencoded', options, [
      ...FORMS.map((form) => post(FORM_TYPE, form)),
      post(FORM_TYPE, '')
    ])
  ),
  ...['utf-8', 'iso-8859-1', 'ISO-8859-1', 'UTF-8', 'latin1', 'utf8', 'bogus', 'utf-16', ''].map((charset) =>
    parsing(`charset ${charset}`, 'urlencoded', { extended: true }, [
      post(typed(FORM_TYPE, `; charset=${charset}`), 'a=%E9&b=%C3%A9'),
      post(
        typed(FORM_TYPE, `; charset=${charset}`),
        base64(Buffer.from('a=é', 'latin1')),
        {},
        /^utf-8$/i.test(charset) || !charset ? 'broken-charset' : undefined
      ),
      post(typed(FORM_TYPE, `; charset=${charset}`), 'a=é')
    ])
  ),
  ...[0, 1, 2, 5, 32, 33]
    .flatMap((depth) => [undefined, 0, 1, 5, 32].map((allowed) => [depth, allowed]))
    .map(([depth, allowed]) =>
      parsing(
        `${depth} brackets with depth ${allowed ?? 'not set'}`,
        'urlencoded',
        { extended: true, ...(allowed !== undefined && { depth: allowed }) },
        [post(FORM_TYPE, nested(depth)), post(FORM_TYPE, `x=1&${nested(depth)}&y[]=2`)]
      )
    ),
  ...[undefined, 1, 2, 10, 10.9, 1000, 1001, number('Infinity')].flatMap((parameterLimit) =>
    [false, true].map((extended) =>
      parsing(
        `parameterLimit ${JSON.stringify(parameterLimit) ?? 'not set'}${extended ? ', extended' : ''}`,
        'urlencoded',
        { extended, ...(parameterLimit !== undefined && { parameterLimit }) },
        [
          post(FORM_TYPE, 'a=1'),
          post(FORM_TYPE, 'a=1&b=2'),
          post(FORM_TYPE, 'a=1&&'),
          post(FORM_TYPE, many(10)),
          post(FORM_TYPE, many(11)),
          ...(parameterLimit === undefined || parameterLimit === 1000
            ? [post(FORM_TYPE, { repeat: ['a=1&', 999] }), post(FORM_TYPE, { repeat: ['a=1&', 1000] })]
            : [])
        ]
      )
    )
  ),
  ...[20, 99, 100, 101, 150].flatMap((count) => [
    parsing(`${count} items of a list`, 'urlencoded', { extended: true }, [
      post(FORM_TYPE, Array.from({ length: count }, (_, index) => `a=${index}`).join('&')),
      post(FORM_TYPE, Array.from({ length: count }, (_, index) => `a[]=${index}`).join('&')),
      post(FORM_TYPE, Array.from({ length: count }, (_, index) => `a[${index}]=${index}`).join('&')),
      post(FORM_TYPE, `a[${count - 1}]=x`)
    ])
  ])
]

// text and raw ---------------------------------------------------------------

const CHARSETS = [
  'utf-8',
  'UTF8',
  'iso-8859-1',
  'latin1',
  'windows-1252',
  'us-ascii',
  'utf-16le',
  'koi8-r',
  'shift_jis',
  'gbk',
  'big5',
  'euc-kr',
  'macintosh',
  'iso-8859-15'
]
CHARSETS.push('bogus', 'utf-9', '', '"utf-8"', 'cp866', 'windows-31j', 'euc-jp', 'gb18030', 'binary')
const texts = [
  parsing(
    'charsets',
    'text',
    undefined,
    CHARSETS.flatMap((charset) => [
      post(
        typed(TEXT_TYPE, `; charset=${charset}`),
        'plain',
        {},
        charset === 'utf-16le' ? 'broken-charset' : undefined
      ),
      ...(/^(iso-8859|latin|windows-1252|koi8|cp866)/.test(charset)
        ? [post(typed(TEXT_TYPE, `; charset=${charset}`), base64(Buffer.from('caf\xe9 \xa4\xb0', 'latin1')))]
        : []),
      ...(charset === 'shift_jis' || charset === 'windows-31j'
        ? [post(typed(TEXT_TYPE, `; charset=${charset}`), base64(Buffer.from([0x93, 0xfa, 0x96, 0x7b])))]
        : []),
      ...(charset === 'gbk' || charset === 'gb18030'
        ? [post(typed(TEXT_TYPE, `; charset=${charset}`), base64(Buffer.from([0xd6, 0xd0, 0xce, 0xc4])))]
        : [])
    ])
  ),
  ...['iso-8859-1', 'utf-8', 'utf-16le', 'koi8-r'].map((defaultCharset) =>
    parsing(`defaultCharset ${defaultCharset}`, 'text', { defaultCharset }, [
      post(TEXT_TYPE, 'plain', {}, defaultCharset === 'utf-16le' ? 'broken-charset' : undefined),
      post(TEXT_TYPE, 'ab'),
      post(typed(TEXT_TYPE, '; charset=utf-8'), 'é'),
      post(TEXT_TYPE, '')
    ])
  ),
  parsing(
    'contents',
    'text',
    undefined,
    ['é❤😀', '\ufeffbom', 'a\u0000b', '\r\n', ' '].map((content) => post(TEXT_TYPE, content))
  ),
  parsing('contents', 'raw', undefined, [
    post(RAW_TYPE, base64(Buffer.from([0, 255, 254, 128]))),
    post(typed(RAW_TYPE, '; charset=bogus'), 'x'),
    post(RAW_TYPE, '\ufeffx'),
    post(RAW_TYPE, base64(Buffer.from(Array.from({ length: 256 }, (_, index) => index))))
  ])
]

// Options that are refused ----------------------------------------------------

const BAD = {
  limit: ['bogus', '1zb', '', 'x1kb', true, {}, number('NaN'), '100kb', 1000, '1.5mb', null],
  verify: ['lol', 1, {}, fn('verify notes'), null],
  parameterLimit: ['beep', 0, -1, number('NaN'), 10, 10.5],
  depth: ['beep', -1, number('NaN'), 10, 0],
  defaultCharset: ['bogus', 'utf-16', 'iso-8859-1', 'utf-8']
}
const refused = {
  name: 'options that are refused',
  registrations: ['json', 'urlencoded', 'text', 'raw'].flatMap((kind) =>
    Object.entries(BAD)
      .filter(([option]) => ['limit', 'verify'].includes(option) || kind === 'urlencoded')
      .flatMap(([option, values]) =>
        values.map((value) => ({
          on: 'app',
          entry: {
            use: null,
            nodes: [{ parser: kind, options: { [option]: value, ...(option === 'depth' && { extended: true }) } }]
          },
          ...(value === '1zb' && { difference: 'option-errors' })
        }))
      )
  )
}

export const files = {
  ...Object.fromEntries(Object.entries(SAMPLE).map((sample) => [`bodies-${sample[0]}`, common(sample)])),
  'bodies-refused': [refused],
  'bodies-documents': json,
  'bodies-forms': forms,
  'bodies-charsets': texts
}
