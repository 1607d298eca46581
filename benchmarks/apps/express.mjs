// Express on Node.
import express from 'express'

const app = express()
app.get('/', (req, res) => { res.type('text/plain').send('Hello, world') })
app.get('/users/:id', (req, res) => { res.json({ id: req.params.id }) })
app.post('/echo', express.json(), (req, res) => { res.json(req.body) })
app.listen(Number(process.argv[2]), '127.0.0.1')
