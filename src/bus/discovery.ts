import { request } from 'node:http';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Bus } from './bus.ts';

/** A component that answered, and what its `/healthz` says: undefined when it is well. */
export type Discovered = PayloadOf<typeof subjects.componentAnnounce> & { readonly unwell: string | undefined };

/**
 * Asks every component on the bus for itself, and those of one node for their health.
 *
 * @param options `expected` ends the gathering early when that many answered; status pages are on each node's loopback,
 * so that only those of the node asking, `nodeId`, can be asked
 */
export async function discoverComponents(
  bus: Bus,
  options: { timeoutMs: number; nodeId: string; expected?: number },
): Promise<Discovered[]> {
  const all = await bus.request(subjects.componentDiscover, [], {}, { expected: 10_000, ...options });
  const found = all.filter(({ uuid }) => uuid.endsWith(`-${options.nodeId}`));
  return Promise.all(found.map(async (one) => ({ ...one, unwell: await askHealth(one, options.timeoutMs) })));
}

/** What a component's `/healthz` complains about; undefined when it is well. */
export function askHealth(
  component: PayloadOf<typeof subjects.componentAnnounce>,
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request(
      `http://${component.host}/healthz`,
      { auth: component.credentials.join(':'), agent: false, signal: AbortSignal.timeout(timeoutMs) },
      (response) => {
        let said = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          said = `${said}${text}`.slice(0, 500);
        });
        response.on('error', (error) => resolve(error.message));
        response.on('end', () => resolve(response.statusCode === 200 ? undefined : said.trim() || 'unwell'));
      },
    );
    sent.on('error', (error) => resolve(error.message));
    sent.end();
  });
}
