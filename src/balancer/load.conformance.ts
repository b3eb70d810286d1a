import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { type BalancerRig, textOf } from './rig.conformance.ts';

type Tally = { sent: number; failures: string[]; failedPosts: number };

/** Clients that keep their connections and ask again as soon as they have an answer; every third request is a POST. */
export class Load {
  readonly tally: Tally = { sent: 0, failures: [], failedPosts: 0 };
  readonly #rig: BalancerRig;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  readonly #clients: Promise<void>[];
  #isOver = false;

  constructor(rig: BalancerRig, clients = 8) {
    this.#rig = rig;
    this.#clients = Array.from({ length: clients }, () => this.#run());
  }

  /** Resolves after so many more requests. */
  async more(count: number): Promise<void> {
    const target = this.tally.sent + count;
    while (this.tally.sent < target) await new Promise((resolve) => setImmediate(resolve));
  }

  async end(): Promise<Tally> {
    this.#isOver = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
    return this.tally;
  }

  async #run(): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const method = i % 3 === 0 ? 'POST' : 'GET';
      const problem = await this.#ask(method);
      this.tally.sent += 1;
      if (problem === undefined) continue;
      if (method === 'POST') this.tally.failedPosts += 1;
      else this.tally.failures.push(problem);
    }
  }

  async #ask(method: string): Promise<string | undefined> {
    const { options } = this.#rig;
    const outgoing = request({
      ...{ host: '127.0.0.1', port: options.httpsPort, servername: 'app.cloud.test', agent: this.#agent, method },
      ...{ ca: await this.#rig.authority(), headers: { host: 'app.cloud.test' } },
    });
    try {
      outgoing.end(method === 'POST' ? 'a body' : undefined);
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      const text = await textOf(answer);
      return answer.statusCode === 200 ? undefined : `${answer.statusCode} ${text}`;
    } catch (error) {
      return String(error);
    }
  }
}
