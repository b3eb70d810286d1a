import type { Bus } from '../bus/bus.ts';
import { decode } from '../contract/decode.ts';
import { BulkAppsPage } from '../contract/messages/health.ts';
import type { ReplyOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { DesiredApp, DesiredSource } from './desired.ts';

const BATCH = 500;
const TIMEOUT_MS = 10_000;

type Credentials = ReplyOf<typeof subjects.bulkCredentials>;

/** Desired state from the controller's bulk API, whose credentials any controller gives on the bus. */
export class BulkApi implements DesiredSource {
  readonly #bus: Bus;
  readonly #defaultUrl: string;
  #credentials: Credentials | undefined;

  constructor(bus: Bus, defaultUrl: string) {
    this.#bus = bus;
    this.#defaultUrl = defaultUrl;
  }

  async read(signal?: AbortSignal): Promise<Map<string, DesiredApp>> {
    try {
      return await this.#walk(await this.#login(), signal);
    } catch (error) {
      // The next attempt may reach another controller.
      this.#credentials = undefined;
      throw error;
    }
  }

  async #walk(credentials: Credentials, signal?: AbortSignal): Promise<Map<string, DesiredApp>> {
    const apps = new Map<string, DesiredApp>();
    let token: Record<string, unknown> = {};
    for (;;) {
      const page = await this.#page(credentials, token, signal);
      const entries = Object.entries(page.results);
      if (entries.length === 0) return apps;
      for (const [droplet, app] of entries) apps.set(droplet, app);
      token = page.bulk_token;
    }
  }

  async #page({ user, password, url }: Credentials, token: Record<string, unknown>, signal?: AbortSignal) {
    const target = new URL('/bulk/apps', url ?? this.#defaultUrl);
    target.searchParams.set('batch_size', String(BATCH));
    target.searchParams.set('bulk_token', JSON.stringify(token));
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(target, {
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`the bulk API answered HTTP ${response.status}`);
    }
    return decode(BulkAppsPage, await response.json(), 'bulk apps');
  }

  async #login(): Promise<Credentials> {
    if (this.#credentials) return this.#credentials;
    const [credentials] = await this.#bus.request(subjects.bulkCredentials, [], {}, { timeoutMs: 5000 });
    if (!credentials) throw new Error('no controller gave credentials for the bulk API');
    this.#credentials = credentials;
    return credentials;
  }
}
