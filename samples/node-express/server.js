const express = require('express');

const app = express();

app.use((request, response, next) => {
  response.on('finish', () => console.log(`${request.method} ${request.originalUrl} ${response.statusCode}`));
  next();
});

app.get('/', (request, response) => {
  response.send(`Hello from Express, instance ${process.env.CF_INSTANCE_INDEX ?? 0}\n`);
});

app.get('/env', (request, response) => {
  const { PORT, MEMORY_LIMIT, CF_INSTANCE_INDEX, NODE_ENV } = process.env;
  const application = JSON.parse(process.env.VCAP_APPLICATION ?? '{}');
  response.json({ PORT, MEMORY_LIMIT, CF_INSTANCE_INDEX, NODE_ENV, node: process.version, name: application.name });
});

app.get('/headers', (request, response) => response.json(request.headers));

app.get('/crash', (request, response) => {
  response.send('crashing\n');
  response.on('finish', () => process.exit(1));
});

const port = process.env.PORT ?? 8080;
const server = app.listen(port, () => console.log(`listening on ${port}`));

process.on('SIGTERM', () => {
  console.log('stopping');
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
