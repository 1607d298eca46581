// What Express's own tests of requests and responses ask and no other program does.

import { cases, catcher, fn, get, program, router, show, step, use } from '../lib/words.mjs'

const PROXIED = [
  { 'X-Forwarded-Host': 'example.com:3000' },
  { 'X-Forwarded-Host': 'example.com, foobar.com' },
  { 'X-Forwarded-Host': 'example.com , foobar.com' },
  { 'X-Forwarded-Host': 'example.com:8080 , foobar.com:8888' },
  { 'X-Forwarded-Proto': 'http, https' },
  { 'X-Forwarded-Proto': 'https, http' },
  { 'X-Forwarded-For': '10.0.0.2, 10.0.0.3, 10.0.0.1' }
]
const SEEN = ['host', 'hostname', 'secure', 'ip', 'ips']
const behind = (name, trusted) =>
  cases(`behind ${name}`, [[['show', ...SEEN]]], PROXIED, { settings: { 'trust proxy': trusted } })

const LOCATIONS = [
  'https://google.com?q=%A710',
  '/foo/bar',
  'http://google.com\\@apple.com',
  'HTTP://google.com\\@apple.com',
  'https://google.com\\@apple.com',
  '//google.com\\@apple.com/',
  'https://google.com/foo\\bar\\baz',
  'http://google.com\\@apple.com/%0d%0afoo:%20bar',
  '/%e2%98%83',
  'http://google.com\\@apple.com/%e2%98%83',
  "https://google.com'.bb.com/1.html",
  'file:///etc\\passwd',
  'data:text/javascript,export default () => { }'
]

const XSS = 'javascript:eval(document.body.innerHTML=`<p>XSS</p>`);'
const FORMS = { text: [['send', 'hey']], html: [['send', '<p>hey</p>']], json: [['send', { message: 'hey' }]] }
const SUPPORTED = [
  undefined,
  'text/html; q=.5, application/json, */*; q=.1',
  'text/html; q=.5, application/*, */*; q=.1',
  'text/html; q=.5, text/plain',
  'text/html',
  'text/plain',
  'application/json',
  'foo/bar'
].map((value) => value && { Accept: value })
const negotiated = (name, forms) => cases(`forms ${name}`, [[['format', forms]]], SUPPORTED)

const site = { root: { $file: 'site' } }
const down = (...more) => [['download', { $file: 'site/todo.html' }, ...more]]

export const files = {
  'suite-messages': [
    behind('any proxy', true),
    behind('one proxy', 1),
    behind('listed proxies', '10.0.0.1, 10.0.0.2, 127.0.0.1, ::1'),
    cases(
      'a type by its full name',
      [
        [['ask', ...['application/json', 'image/jpeg', '*/json', '*/html', 'text/*'].map((type) => ['is', type])]]
      ],
      ['application/json', 'application/json; charset=UTF-8', 'text/html; charset=utf-8'].map((type) => ({
        'Content-Type': type,
        'Content-Length': '0'
      }))
    ),
    program(
      'the query of every shape',
      [get('/', show('q', 'query'))],
      ['GET /?foo[0][bar]=baz&foo[0][fizz]=buzz&foo[]=done!', 'GET /?user.name=tj', 'GET /?user[name]=tj'],
      { settings: { 'query parser': 'extended' } }
    ),
    program('the base of a route at the top is empty', [get('/:a', show('a', 'baseUrl'))], ['GET /foo']),
    program(
      'the base on the way through routers',
      [
        use(step('3')),
        use(
          '/:a',
          router(
            {},
            use('/', step('1')),
            use('/bar', router({}, use('/:c', router({}, get('/:d', step('0')))))),
            use('/bar', step('2'))
          )
        ),
        use(show('4', 'baseUrl'))
      ],
      ['GET /foo/bar/baz/zed']
    ),
    program(
      'the route that runs',
      [get('/user/:id{/:op}', step('a')), get('/user/:id/edit', step('b', ['end']))],
      ['GET /user/12/edit', 'GET /user/12/delete']
    ),
    program(
      'an error after the end',
      [get('/', step('a', ['end', 'yay'], ['throw', 'boom'])), use(catcher('e', ['forward']))],
      ['GET /']
    ),
    cases('locations', LOCATIONS.map((url) => [['location', url], ['end']]), [undefined]),
    cases(
      'locations that are no text',
      [true, [], {}].map((value) => [['location', value], ['end']]),
      [undefined],
      { tag: () => 'location-values' }
    ),
    cases(
      'redirects that could do harm',
      [
        [['redirect', XSS]],
        [['redirect', "<la'me>"]],
        [['redirect', 'http://example.com/?param=<script>alert("hax");</script>']],
        [['redirect', 'https://google.com?q=%A710']]
      ],
      [{ Accept: 'text/html' }, { Accept: 'text/plain, */*' }, { Accept: 'application/octet-stream' }, ['HEAD']]
    ),
    cases(
      'types of names',
      ['foo.js', 'rawr', 'application/vnd.amazon.ebook', '.json', 'FILE.JSON', 'file@test.json'].map((type) => [
        ['type', type],
        ['end', 'x']
      ]),
      [undefined]
    ),
    cases(
      'statuses of every hundred',
      [201, 302, 403, 501, 700, 800, 900].map((status) => [['status', status], ['end']]),
      [undefined]
    ),
    cases('statuses that are none', [[['sendStatus', null]], [['sendStatus', 'x']]], [undefined]),
    cases(
      'headers of numbers',
      [
        [['set', 'X-Number', 123], ['showHeaders', 'X-Number']],
        [['set', { 'X-Number': 123 }], ['showHeaders', 'X-Number']],
        [['set', 'X-Numbers', [123, 456]], ['showHeaders', 'X-Numbers']]
      ],
      [undefined]
    ),
    cases(
      'types of text',
      [
        ...['text/plain; charset=iso-8859-1', 'text/plain; foo=bar', 'text/plain; foo'].map((type) => [
          ['set', 'Content-Type', type],
          ['send', 'hey']
        ]),
        [['set', 'Content-Type', 'text/plain; charset=iso-8859-1'], ['send', { $bytes: 'aGk=' }]],
        [['type', 'text/plain'], ['set', 'ETag', '"foo"'], ['send', { $bytes: 'aGV5' }]]
      ],
      [undefined]
    ),
    cases(
      'answers without a body lose their coding',
      [204, 205, 304].map((status) => [['status', status], ['set', 'Transfer-Encoding', 'chunked'], ['send', 'foo']]),
      [undefined]
    ),
    cases('JSON is never JSONP', [[['json', { foo: 'bar' }]], [['send', { foo: 'bar' }]]], [undefined], {
      query: '?callback=foo'
    }),
    cases(
      'JSONP that is escaped',
      [[['jsonp', { '&': '\u2028<script>\u2029' }]], [['json', { '&': '<script>' }]]],
      [undefined],
      { query: '?callback=foo', settings: { 'json escape': true } }
    ),
    cases(
      'JSONP that is replaced and indented',
      [
        [['jsonp', { name: 'tobi', age: 2 }]],
        [
          ['type', 'application/vnd.example+json'],
          ['jsonp', { hello: 'world' }]
        ]
      ],
      [undefined],
      { settings: { 'json replacer': fn('replacer shouts'), 'json spaces': 2 } }
    ),
    negotiated('by extension', FORMS),
    negotiated('by type', { 'text/plain': FORMS.text, 'text/html': FORMS.html, 'application/json': FORMS.json }),
    negotiated('with parameters', {
      'text/plain; charset=utf-8': FORMS.text,
      'text/html; foo=bar; bar=baz': FORMS.html,
      'application/json; q=0.5': FORMS.json
    }),
    negotiated('by default', { text: FORMS.text, default: [['send', 'default']] }),
    negotiated('by default only', { default: [['send', 'hey']] }),
    program(
      'the error of a form tells what there is',
      [use(router({}, get('/', step('a', ['format', FORMS])), use(catcher('e', ['showError', 'status', 'types']))))],
      [['GET /', { Accept: 'foo/bar' }], ['GET /', { Accept: 'text/html' }]]
    ),
    cases(
      'downloads with headers',
      [
        down({ headers: { 'X-Foo': 'Bar', 'X-Bar': 'Foo' } }),
        down({ headers: { 'X-Foo': 'Bar', 'x-foo': 'bar' } }),
        down({ headers: { 'Content-Type': 'text/x-custom' } }),
        down({ headers: { 'Content-Disposition': 'inline' } }),
        down({ headers: { 'content-disposition': 'inline' } }),
        down('document', { headers: { 'content-type': 'text/x-custom', 'content-disposition': 'inline' } }),
        [['download', 'none.html', { ...site, headers: { 'X-Foo': 'Bar' } }]],
        [['download', '.hidden', 'document', { ...site, dotfiles: 'allow', maxAge: '4h' }]]
      ],
      [undefined]
    ),
    cases('a download that goes up', [[['download', 'users/../todo.txt', site]]], [undefined], {
      tag: () => 'dot-dot'
    }),
    cases(
      'files with headers and ages',
      [
        ...[true, false].map((value) => ({ acceptRanges: value })),
        ...[true, false].map((value) => ({ cacheControl: value })),
        ...[true, false].map((value) => ({ immutable: value })),
        ...[true, false].map((value) => ({ lastModified: value })),
        ...[20000, 99999999999, -20000, 21911.23, '20s', '20m', '20d'].map((value) => ({ maxAge: value })),
        { cacheControl: false, maxAge: 20000 },
        { headers: { 'X-Foo': 'Bar', 'x-foo': 'bar' } },
        { headers: { 'Content-Type': 'text/x-custom' } },
        { start: 0, end: 1 }
      ].map((options) => [['sendFile', 'nums.txt', { ...site, ...options }]]),
      [undefined, { Range: 'bytes=0-4' }, { 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' }]
    ),
    cases('a hidden file', [[['sendFile', '.hidden', { ...site, dotfiles: 'ignore' }]]], [undefined]),
    cases('an age without a unit', [[['sendFile', 'nums.txt', { ...site, maxAge: '20000' }]]], [undefined], {
      tag: () => 'seconds'
    }),
    cases(
      'tags of every kind of body',
      [
        [['send', 'express!']],
        [['send', 'express❤']],
        [['send', { $bytes: Buffer.from('express!').toString('base64') }]],
        [['send', '']],
        [['send', '-'.repeat(999)]]
      ],
      [undefined, ['HEAD']]
    ),
    cases(
      'strong tags of every kind of body',
      [
        [['send', 'express!']],
        [['send', 'express❤']],
        [['send', { $bytes: Buffer.from('express!').toString('base64') }]],
        [['send', '']],
        [['send', '-'.repeat(999)]]
      ],
      [undefined, ['HEAD']],
      { settings: { etag: 'strong' } }
    )
  ]
}
