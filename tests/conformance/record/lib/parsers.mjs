// The middleware of other packages that a program can name, `{"parser": kind}`.

import cookieParser from 'cookie-parser'
import express from 'express'
import multer from 'multer'

import { placed } from './tree.mjs'

export function parser(node, revive) {
  const options = node.options && revive(node.options)
  switch (node.parser) {
    case 'cookies':
      return cookieParser(node.secrets)
    case 'static':
      return express.static(placed(node.root), options)
    case 'upload': {
      const [how, ...args] = node.take
      return multer({ storage: multer.memoryStorage(), ...options })[how](...args)
    }
    default:
      return express[node.parser](options)
  }
}

/** The fields and files that multer found. */
export function describeUpload({ body, file, files }, plain) {
  const one = ({ fieldname, originalname, mimetype, size, buffer }) => ({
    field: fieldname,
    name: originalname,
    type: mimetype,
    size,
    content: plain(buffer)
  })
  const all = file ? [file] : Array.isArray(files) ? files : Object.values(files ?? {}).flat()
  return { body: body ?? null, files: all.map(one) }
}
