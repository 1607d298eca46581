// Fastify on Node.
import Fastify from 'fastify'

const app = Fastify()
app.get('/', (req, reply) => { reply.type('text/plain').send('Hello, world') })
app.get('/users/:id', (req, reply) => { reply.send({ id: req.params.id }) })
app.post('/echo', (req, reply) => { reply.send(req.body) })
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
