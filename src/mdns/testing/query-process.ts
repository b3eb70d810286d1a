import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decode, encode } from 'dns-packet';

/**
 * Asks the local network for the address of a name as a plain DNS client does, and prints it, or `none` when nobody answers
 * for so many milliseconds. With `listen` it prints all that is announced for the name instead, as `ADDRESS TTL` lines, until standard input ends.
 */
const [name = '', how = '1000', ownAddress = '0.0.0.0'] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', reuseAddr: true });
const heard = (bytes: Buffer) =>
  (decode(bytes).answers ?? []).flatMap((one) => (one.type === 'A' && one.name === name ? [one] : []));

if (how === 'listen') {
  socket.bind(5353, '0.0.0.0', () => {
    socket.addMembership('224.0.0.251', ownAddress);
    process.stdout.write('listening\n');
  });
  socket.on('message', (bytes) => {
    for (const { data, ttl } of heard(bytes)) process.stdout.write(`${data} ${ttl}\n`);
  });
  for await (const _input of process.stdin);
} else {
  const question = { type: 'query' as const, id: 5, questions: [{ type: 'A' as const, name }] };
  socket.bind(0, ownAddress);
  await once(socket, 'listening');
  socket.setMulticastInterface(ownAddress);
  socket.send(encode(question), 5353, '224.0.0.251');
  const answer = await once(socket, 'message', { signal: AbortSignal.timeout(Number(how)) }).catch((error: Error) => {
    if (error.name === 'AbortError') return undefined;
    throw error;
  });
  const [found] = answer === undefined ? [] : heard(answer[0] as Buffer);
  process.stdout.write(`${found?.data ?? 'none'}\n`);
}
socket.close();
