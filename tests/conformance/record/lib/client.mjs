// A raw HTTP/1.1 client over a socket. Node's own http client refuses or
// rewrites some of the request targets that we want to see answered
// (`/%zz`, `//x`, `http://host/x`, `*`), so the bytes are written by hand.

import net from 'node:net'

const TIMEOUT = 3000

/** Send one request and read the answer until the server closes. */
export function exchange(port, { method, target, headers = {} }) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    const chunks = []
    const label = `${method} ${target}`
    socket.setTimeout(TIMEOUT, () => {
      socket.destroy(new Error(`no answer to ${label}`))
    })
    socket.on('connect', () => {
      const lines = [`${method} ${target} HTTP/1.1`, 'Host: example.test', 'Connection: close']
      for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
      socket.write(lines.join('\r\n') + '\r\n\r\n', 'latin1')
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
  return { status: Number(first.split(' ')[1]), headers, body: body.toString('utf8') }
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
