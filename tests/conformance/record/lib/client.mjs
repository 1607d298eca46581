// A raw HTTP/1.1 client over a socket. Node's own http client refuses or
// rewrites some of the request targets that we want to see answered
// (`/%zz`, `//x`, `http://host/x`, `*`), so the bytes are written by hand.

import net from 'node:net'

const TIMEOUT = 3000

/** Send one request and read the answer until the server closes. */
export function exchange(port, { method, target, headers = {}, sent: body, chunks: sizes }) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    const chunks = []
    const label = `${method} ${target}`
    socket.setTimeout(TIMEOUT, () => {
      socket.destroy(new Error(`no answer to ${label}`))
    })
    socket.on('connect', () => {
      const fields = { Host: 'example.test', Connection: 'close', ...headers }
      const content = body === undefined ? undefined : toBytes(body)
      if (sizes) fields['Transfer-Encoding'] = 'chunked'
      else if (content && !('Content-Length' in fields)) fields['Content-Length'] = content.length
      const lines = [`${method} ${target} HTTP/1.1`]
      for (const [name, value] of Object.entries(fields)) {
        for (const item of [].concat(value)) lines.push(`${name}: ${item}`)
      }
      socket.write(lines.join('\r\n') + '\r\n\r\n', 'latin1')
      if (content) socket.write(sizes ? chunked(content, sizes) : content)
    })
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      try {
        resolve(parse(Buffer.concat(chunks), label))
      } catch (err) {
        reject(err)
      }
    })
  })
}

/** The bytes of a recorded body: text, `{"base64": ...}`, or `{"repeat": [body, count]}`. */
export function toBytes(body) {
  if (typeof body === 'string') return Buffer.from(body)
  if (body.base64 !== undefined) return Buffer.from(body.base64, 'base64')
  if (body.repeat) return Buffer.concat(Array(body.repeat[1]).fill(toBytes(body.repeat[0])))
  return Buffer.concat(body.join.map(toBytes))
}

/** A chunked body; every chunk is of that size, the last one of what is left. */
function chunked(content, size) {
  const parts = []
  for (let at = 0; at < content.length; at += size) {
    const part = content.subarray(at, at + size)
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

function parse(bytes, label) {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) throw new Error(`no complete head in the answer to ${label}`)
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = name in headers ? [].concat(headers[name], value) : value
  }
  let body = bytes.subarray(end + 4)
  if (headers['transfer-encoding'] === 'chunked') body = unchunk(body, label)
  return { status: Number(first.split(' ')[1]), headers, body }
}

function unchunk(bytes, label) {
  const parts = []
  let at = 0
  for (;;) {
    const eol = bytes.indexOf('\r\n', at)
    if (eol === -1) throw new Error(`a cut chunked body in the answer to ${label}`)
    const size = parseInt(bytes.subarray(at, eol).toString('latin1'), 16)
    if (size === 0) return Buffer.concat(parts)
    parts.push(bytes.subarray(eol + 2, eol + 2 + size))
    at = eol + 2 + size + 2
  }
}
