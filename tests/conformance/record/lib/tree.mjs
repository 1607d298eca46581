// The files that programs send: ../tree.json says what is in them. They are
// written to a temporary directory, each with its time.

import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { toBytes } from './client.mjs'

let root = ''

/** Where a file of the tree is; a slash at the end stays. */
export const placed = (path) => (path === '' ? root : `${root}/${path}`)

/** A message without the name of the temporary directory. */
export const hideRoot = (text) => (root ? text.replaceAll(root, '<root>') : text)

export async function withTree(main) {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'express-')))
  try {
    const files = JSON.parse(readFileSync(new URL('../../tree.json', import.meta.url), 'utf8'))
    for (const { path, body, time } of files) {
      const place = placed(path)
      mkdirSync(dirname(place), { recursive: true })
      writeFileSync(place, toBytes(body))
      utimesSync(place, time, time)
    }
    await main()
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
