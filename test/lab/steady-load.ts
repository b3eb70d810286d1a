import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';

/**
 * Asks an app at a steady rate, by TLS: `steady-load.ts '{"address":…,"host":…,"ca":…,"rate":…,"seconds":…}'`. A third of
 * the requests has a connection of its own. Prints how many came to which end, as JSON, when all have ended.
 */
type Wanted = { address: string; host: string; ca: string; rate: number; seconds: number; path?: string };

const wanted: Wanted = JSON.parse(process.argv[2] ?? '{}');
const ca = readFileSync(wanted.ca, 'utf8');
const kept = new Agent({ keepAlive: true, ca, servername: wanted.host });
const ends: Record<string, number> = {};
const total = wanted.rate * wanted.seconds;
const startedMs = Date.now();
let slowestMs = 0;
let sent = 0;
let open = 0;

const timer = setInterval(() => {
  const due = Math.min(total, Math.floor(((Date.now() - startedMs) * wanted.rate) / 1000));
  while (sent < due) ask(sent++);
  if (sent === total) clearInterval(timer);
}, 5);

function ask(number: number): void {
  const beganMs = Date.now();
  open += 1;
  let isOver = false;
  const end = (how: string) => {
    if (isOver) return;
    isOver = true;
    ends[how] = (ends[how] ?? 0) + 1;
    slowestMs = Math.max(slowestMs, Date.now() - beganMs);
    open -= 1;
    if (open === 0 && sent === total) finish();
  };
  const { host, address, path = '/' } = wanted;
  const how = number % 3 === 0 ? { agent: false as const, ca, servername: host } : { agent: kept };
  const asked = request({ ...how, host: address, port: 443, path, headers: { host }, timeout: 20_000 }, (answer) => {
    answer.on('error', (error) => end(error.message));
    answer.on('end', () => end(String(answer.statusCode)));
    answer.resume();
  });
  asked.on('timeout', () => asked.destroy(new Error('no answer within 20 s')));
  asked.on('error', (error) => end(error.message));
  asked.end();
}

function finish(): void {
  process.stdout.write(`${JSON.stringify({ sent, ends, slowestMs })}\n`);
  process.exit(0);
}
