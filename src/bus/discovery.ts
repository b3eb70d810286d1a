import { request } from 'node:http';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Bus } from './bus.ts';

/** A component that answered, and what its `/healthz` says: undefined when it is well. */
export type Discovered = Announced & { readonly unwell: string | undefined };
type Announced = PayloadOf<typeof subjects.componentAnnounce>;

/**
 * Asks every component on the bus for itself, and those of one node for their health.
 *
 * @param options `isWhole` ends the gathering early when it holds of those of the node that answered; status pages are on
 * each node's loopback, so that only those of the node asking, `nodeId`, can be asked
 */
export async function discoverComponents(
  bus: Bus,
  {
    timeoutMs,
    nodeId,
    isWhole,
  }: { timeoutMs: number; nodeId: string; isWhole: (own: readonly Announced[]) => boolean },
): Promise<Discovered[]> {
  const ownOf = (all: readonly Announced[]) => all.filter(({ uuid }) => uuid.endsWith(`-${nodeId}`));
  const expected = (all: readonly Announced[]) => isWhole(ownOf(all));
  const found = ownOf(await bus.request(subjects.componentDiscover, [], {}, { timeoutMs, expected }));
  return Promise.all(found.map(async (one) => ({ ...one, unwell: await askHealth(one, timeoutMs) })));
}

/** What a component's `/healthz` complains about; undefined when it is well. */
export function askHealth(component: Announced, timeoutMs: number): Promise<string | undefined> {
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
