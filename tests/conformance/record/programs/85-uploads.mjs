// Uploads: multer with its memory storage.

import { base64, catcher, fn, program, sending, step, use } from '../lib/words.mjs'

const BOUNDARY = 'XBOUNDARYX'
const TYPE = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` }

/** A body of parts: [name, value] or [name, content, filename, type]. */
const form = (...parts) => ({
  join: [
    ...parts.flatMap(([name, content, filename, type]) => [
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n` +
        `${type ? `Content-Type: ${type}\r\n` : ''}\r\n`,
      content,
      '\r\n'
    ]),
    `--${BOUNDARY}--\r\n`
  ]
})

const upload = (name, take, options, requests) =>
  program(
    `${name}: ${JSON.stringify(take)} with ${JSON.stringify(options) ?? 'no options'}`,
    [
      use(undefined, { parser: 'upload', take, ...(options && { options }) }),
      use(undefined, step('upload', ['showUpload'])),
      use(undefined, { ...catcher('error', ['showUploadError']), quiet: true })
    ],
    requests
  )
const post = (body, more, headers = TYPE, difference) => sending('POST /', headers, body, more, difference)

const FILE = ['avatar', 'hello', 'a.txt', 'text/plain']
const FORMS = [
  form(),
  form(['a', '1']),
  form(['a', '1'], ['b', '2'], ['a', '3']),
  form(FILE),
  form(['a', '1'], FILE, ['b', '2']),
  form(FILE, ['avatar', 'again', 'b.txt', 'text/plain']),
  form(['photos', 'one', '1.png', 'image/png'], ['photos', 'two', '2.png', 'image/png']),
  form(['photos', '1', '1.png'], ['photos', '2', '2.png'], ['photos', '3', '3.png']),
  form(['other', 'x', 'x.bin', 'application/octet-stream']),
  form(['avatar', '', 'empty.txt', 'text/plain']),
  form(['avatar', '', '', 'application/octet-stream']),
  form(['avatar', 'no type', 'a.bin']),
  form(['avatar', { base64: 'AP/+gA0KLS0=' }, 'b.bin', 'image/png']),
  form(['avatar', { repeat: ['0123456789', 500] }, 'long.txt', 'text/plain']),
  form(['photos', '1', '1.png'], FILE, ['docs', 'd', 'd.pdf', 'application/pdf'])
]
const TAKES = [
  ['any'],
  ['single', 'avatar'],
  ['array', 'photos'],
  ['array', 'photos', 2],
  [
    'fields',
    [
      { name: 'avatar', maxCount: 1 },
      { name: 'photos', maxCount: 2 }
    ]
  ],
  ['fields', [{ name: 'docs' }]],
  ['none']
]

const takes = TAKES.map((take) =>
  upload('what is taken', take, undefined, [
    'GET /',
    'POST /',
    ...FORMS.map((body) => post(body)),
    ...FORMS.slice(3, 6).map((body) => post(body, { chunks: 17 })),
    ...FORMS.slice(3, 5).map((body) => post(body, { chunks: 1 })),
    sending('PUT /', TYPE, form(FILE)),
    post('a=1', {}, { 'Content-Type': 'application/x-www-form-urlencoded' }),
    post('{}', {}, { 'Content-Type': 'application/json' })
  ])
)

const NAMES = [
  'a[b]',
  'a[b][c]',
  'a[]',
  'a[0]',
  'a[1]',
  'a[3]',
  'a[b',
  'a]b',
  '[a]',
  'a[b]c',
  'a[][b]',
  'a.b',
  '',
  'a[0][b]',
  '__proto__',
  'toString',
  'constructor',
  'a b',
  'é',
  'a%22b'
]
NAMES.push('a%0Ab', 'a%20b', '__proto__[x]', 'a[__proto__][x]', 'a[b][]', 'a[][]', '0', 'a[-1]', 'a[ b ]', 'a[01]')
const names = upload('names of fields', ['any'], undefined, [
  ...NAMES.map((name) => post(form([name, 'v']), {}, TYPE, name === 'é' ? 'utf8-names' : undefined)),
  ...NAMES.slice(0, 8).map((name) => post(form([name, 'v'], [name, 'w']))),
  post(form(['a', '1'], ['a[b]', '2'])),
  post(form(['a[b]', '1'], ['a', '2'])),
  post(form(['a[]', '1'], ['a[b]', '2'])),
  post(form(['a[b]', '1'], ['a[]', '2'])),
  post(form(['a[0]', '1'], ['a[1]', '2'], ['a[2][x]', '3'])),
  post(form(['a[1]', '1'], ['a[0]', '2'])),
  post(
    form(['user[name]', 'tj'], ['user[tags][]', 'a'], ['user[tags][]', 'b'], ['user[pic]', 'x', 'x.png', 'image/png'])
  ),
  post(form(['a', ''], ['b', 'é❤'], ['c', 'x\r\ny'])),
  post(form(['a', base64(Buffer.from('é', 'latin1'))]), {}, TYPE, 'broken-charset')
])

const FILENAMES = [
  'a.txt',
  'dir/a.txt',
  'C:\\\\dir\\\\a.txt',
  '../../a.txt',
  'é.txt',
  '日本.txt',
  'a%22b.txt',
  'a\\"b.txt',
  'a b.txt',
  '.hidden',
  'a;b.txt',
  'a%0D%0Ab',
  '..',
  '/',
  'x'.repeat(200),
  'a%b.txt',
  "it's.txt"
]
const head = (disposition, ...more) => ({
  join: [`--${BOUNDARY}\r\nContent-Disposition: ${disposition}\r\n${more.join('')}\r\n`, 'v', `\r\n--${BOUNDARY}--\r\n`]
})
const filenames = upload('names of files', ['any'], undefined, [
  ...FILENAMES.map((name) =>
    post(form(['f', 'x', name, 'text/plain']), {}, TYPE, /[é日]|%0D/.test(name) ? 'utf8-names' : undefined)
  ),
  post(head('form-data; name="f"; filename*=UTF-8\'\'%e2%82%ac.txt', 'Content-Type: text/plain\r\n')),
  post(head('form-data; name="f"; filename="a.txt"; filename*=UTF-8\'\'%e2%82%ac.txt', 'Content-Type: text/plain\r\n')),
  post(head('form-data; name=f; filename=a.txt', 'Content-Type: text/plain\r\n')),
  post(head('form-data; name=f')),
  post(head('FORM-DATA; NAME="f"')),
  post(head('form-data;name="f"')),
  post(head('form-data; filename="a.txt"')),
  post(head('form-data')),
  post(head('attachment; name="f"')),
  post(head('form-data; name="f"; name="g"')),
  post(head('form-data; name="f"', 'Content-Type: application/octet-stream\r\n')),
  post(head('form-data; name="f"', 'Content-Type: text/plain; charset=iso-8859-1\r\n')),
  post(head('form-data; name="f"; filename="a"', 'Content-Type: TEXT/HTML; charset=utf-8\r\n')),
  post(head('form-data; name="f"; filename="a"', 'Content-Type: nonsense\r\n')),
  post(head('form-data; name="f"; filename="a"', 'Content-Transfer-Encoding: base64\r\n')),
  post(head('form-data; name="f"', 'X-Other: 1\r\n', 'X-More: 2\r\n'))
])

const LIMITS = [
  [
    { fileSize: 5 },
    [form(FILE), form(['avatar', 'sixsix', 'a.txt']), form(['avatar', '', 'e.txt']), form(['a', 'long value'])]
  ],
  [{ fileSize: 0 }, [form(FILE), form(['avatar', '', 'e.txt']), form(['a', '1'])]],
  [{ files: 1 }, [form(FILE), form(FILE, FILE), form(['a', '1'], FILE)]],
  [{ files: 0 }, [form(FILE), form(['a', '1'])]],
  [{ fields: 1 }, [form(['a', '1']), form(['a', '1'], ['b', '2']), form(['a', '1'], FILE)]],
  [{ fields: 0 }, [form(['a', '1']), form(FILE)]],
  [{ parts: 2 }, [form(['a', '1'], FILE), form(['a', '1'], ['b', '2'], ['c', '3']), form(FILE, FILE, FILE)]],
  [{ fieldSize: 3 }, [form(['a', '123']), form(['a', '1234']), form(['a', 'é1']), form(FILE)]],
  [{ fieldSize: 0 }, [form(['a', '']), form(['a', '1'])]],
  [
    { fieldNameSize: 3 },
    [form(['abc', '1']), form(['abcd', '1']), form(['abcd', 'x', 'x.txt']), form(['abc', 'x', 'x.txt'])]
  ],
  [{ fieldNestingDepth: 1 }, [form(['a', '1']), form(['a[b]', '1']), form(['a[b][c]', '1'])]],
  [{ fieldNestingDepth: 0 }, [form(['a', '1']), form(['a[]', '1'])]],
  [
    { fieldArrayIndexLimit: 2 },
    [form(['a[2]', '1']), form(['a[3]', '1']), form(['a[b][9]', '1']), form(['a[9]x', '1'])]
  ]
]
const limits = LIMITS.flatMap(([limit, bodies]) => [
  upload(
    'limits',
    ['any'],
    { limits: limit },
    bodies.flatMap((body) => [post(body), post(body, { chunks: 11 })])
  )
])
const both = upload('limits', ['single', 'avatar'], { limits: { fileSize: 5, fields: 2 } }, [
  post(form(FILE)),
  post(form(['avatar', 'too long', 'a.txt'])),
  post(form(['other', 'x', 'x.txt'])),
  post(form(['other', 'too long', 'x.txt'])),
  post(form(['a', '1'], ['b', '2'], ['c', '3'], FILE)),
  post(form(FILE, ['avatar', 'too long', 'b.txt']))
])

const text = (body, difference) => post(body, {}, TYPE, difference)
const start = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n`
const broken = upload('broken bodies', ['any'], undefined, [
  text(''),
  text('nothing'),
  text(start),
  text(`${start}1`),
  text(`${start}1\r\n--${BOUNDARY}`),
  text(`${start}1\r\n--${BOUNDARY}-`),
  text(`${start}1\r\n--${BOUNDARY}--`),
  text(`${start}1\r\n--${BOUNDARY}--\r\nepilogue`),
  text(`preamble\r\n${start}1\r\n--${BOUNDARY}--\r\n`),
  text(`\r\n${start}1\r\n--${BOUNDARY}--\r\n`),
  text(`--${BOUNDARY}--\r\n`),
  text(`--${BOUNDARY}\r\n`),
  text(`--${BOUNDARY}\r\n\r\n1\r\n--${BOUNDARY}--\r\n`),
  text(`--${BOUNDARY}\r\nContent-Type: text/plain\r\n\r\n1\r\n--${BOUNDARY}--\r\n`),
  text(`--${BOUNDARY}\r\nnonsense\r\n\r\n1\r\n--${BOUNDARY}--\r\n`),
  text(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n`),
  text(`--OTHER\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--OTHER--\r\n`),
  text(`${start}1\r\n--${BOUNDARY}x\r\n--${BOUNDARY}--\r\n`, 'boundary-in-data'),
  text(`${start}--${BOUNDARY}\r\n--${BOUNDARY}--\r\n`, 'boundary-in-data'),
  text(`${start}1\n--${BOUNDARY}--\r\n`),
  text(`--${BOUNDARY}\nContent-Disposition: form-data; name="a"\n\n1\n--${BOUNDARY}--\n`),
  ...[
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary="XBOUNDARYX"',
    'multipart/form-data; boundary=XBOUNDARYX; charset=utf-8',
    'multipart/form-data; charset=utf-8; boundary=XBOUNDARYX',
    'Multipart/Form-Data; Boundary=XBOUNDARYX',
    'multipart/form-data; boundary=xboundaryx',
    'multipart/mixed; boundary=XBOUNDARYX',
    'multipart/form-data;boundary=XBOUNDARYX'
  ].map((type) => post(form(['a', '1']), {}, { 'Content-Type': type }, /=$/.test(type) ? 'empty-boundary' : undefined))
])

const filtered = upload('filter', ['any'], { fileFilter: fn('filter takes text') }, [
  post(form(FILE)),
  post(form(['avatar', 'x', 'x.png', 'image/png'])),
  post(form(['avatar', 'x', 'x.png', 'image/png'], FILE, ['a', '1'])),
  post(form(['avatar', 'x', 'x.exe', 'application/x-bad']))
])

export const files = { uploads: [...takes, names, filenames, ...limits, both, broken, filtered] }
