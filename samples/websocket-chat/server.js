const { createServer } = require('node:http');
const { readFileSync } = require('node:fs');
const { WebSocket, WebSocketServer } = require('ws');

const page = readFileSync(`${__dirname}/page.html`);
const instance = process.env.CF_INSTANCE_INDEX ?? '0';

const server = createServer((request, response) => {
  console.log(`${request.method} ${request.url}`);
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
});

const chat = new WebSocketServer({ server, path: '/chat', maxPayload: 64 * 1024 });
const tell = (message) => {
  const text = JSON.stringify({ ...message, instance });
  for (const client of chat.clients) if (client.readyState === WebSocket.OPEN) client.send(text);
};

chat.on('connection', (socket) => {
  console.log(`joined, ${chat.clients.size} here`);
  socket.send(JSON.stringify({ text: `welcome, ${chat.clients.size} here`, instance }));
  socket.on('message', (data) => tell({ text: String(data) }));
  socket.on('close', () => console.log(`left, ${chat.clients.size} here`));
  socket.on('error', (error) => console.log(`error: ${error.message}`));
});

const port = process.env.PORT ?? 8080;
server.listen(port, () => console.log(`listening on ${port}`));

process.on('SIGTERM', () => {
  console.log('stopping');
  for (const client of chat.clients) client.close(1001, 'stopping');
  server.close(() => process.exit(0));
});
