import { request } from 'node:http';

/** Status 0 when there was no answer; then the body says why. */
export type Answer = { readonly status: number; readonly body: string };

const PER_S = 200;
const TICK_MS = 20;
const TIMEOUT_MS = 10_000;

/** GET / through the router at this address, over a connection of its own. */
export function ask({ address, host }: { address: string; host: string }): Promise<Answer> {
  return new Promise((resolve) => {
    const sent = request(
      { host: address, port: 80, headers: { host }, agent: false, timeout: TIMEOUT_MS },
      (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
        answer.on('error', (error) => resolve({ status: 0, body: error.message }));
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    sent.on('error', (error) => resolve({ status: 0, body: error.message }));
    sent.end();
  });
}

/** 200 requests each second, whether or not earlier ones were answered, until told to stop. */
export class Load {
  readonly #get: () => Promise<Answer>;
  readonly #open = new Set<Promise<void>>();
  readonly #failures: string[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startedMs = performance.now();
  #sent = 0;

  constructor(get: () => Promise<Answer>) {
    this.#get = get;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Stops and waits for the last answers. */
  async finish(): Promise<{ sent: number; failures: readonly string[] }> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    return { sent: this.#sent, failures: this.#failures };
  }

  #tick(): void {
    const due = ((performance.now() - this.#startedMs) / 1000) * PER_S;
    for (; this.#sent < due; this.#sent++) {
      const one = this.#get().then(({ status, body }) => {
        this.#open.delete(one);
        if (status !== 200) this.#failures.push(`${status} ${body.slice(0, 80).trim()}`);
      });
      this.#open.add(one);
    }
  }
}
