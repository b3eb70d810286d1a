import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NatsServer } from '../../bus/testing/nats-server.ts';
import { environment } from '../../platform/config.ts';
import { start } from '../../platform/exec.ts';
import { temporaryDirectory, writeFileAtomic } from '../../platform/files.ts';
import { pathsOf, sourceRoot } from '../../platform/paths.ts';
import { freePort } from '../../platform/testing/free-port.ts';

export const KEY = Buffer.alloc(32, 5).toString('base64');
const READY_MS = 30_000;
/** Which of them is on the Core. */
export const CORE = 1;

/** A node's id. */
export const idOf = (index: number) => `${index}`.repeat(32);

/** An answer of the API. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export type Answer = { readonly status: number; readonly body: any; readonly job: string | undefined };

/** One node's controller, login server and log server, as the real process of a node that has the controller role. */
export class ControllerNode implements AsyncDisposable {
  readonly ports: { readonly controller: number; readonly aok: number; readonly logyard: number };
  readonly state: string;
  token = '';
  readonly #folder: AsyncDisposable;
  #child: ReturnType<typeof start> | undefined;

  private constructor(folder: { path: string } & AsyncDisposable, ports: ControllerNode['ports']) {
    this.#folder = folder;
    this.state = folder.path;
    this.ports = ports;
  }

  /** Writes the files of a node; `run` starts its process. */
  static async make(options: {
    index: number;
    nats: NatsServer;
    databaseUrl: string;
    config: Record<string, unknown>;
  }): Promise<ControllerNode> {
    const { index, nats, databaseUrl, config } = options;
    const folder = await temporaryDirectory(`controller-${index}`);
    const ports = { controller: await freePort(), aok: await freePort(), logyard: await freePort() };
    const paths = pathsOf(folder.path);
    await mkdir(join(folder.path, 'credentials'));
    const roles = index === CORE ? ['primary'] : [];
    const node = { id: idOf(index), index, address: '127.0.0.1', coreAddress: '127.0.0.1', roles };
    await writeFile(paths.nodeFile, JSON.stringify(node));
    await writeFile(paths.topologyFile, JSON.stringify({ core: idOf(CORE), nodes: [] }));
    const sections = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, { port }]));
    await writeFile(paths.clusterFile, JSON.stringify({ ...config, ...sections }));
    for (const name of ['controller', 'aok', 'logyard']) {
      const clientSecrets = { cloud_controller: 'cc secret', 'ssh-proxy': 'ssh secret' };
      const credentials = { databaseUrl, encryptionKey: KEY, signingKey: KEY, clientSecrets };
      const file = { bus: nats.credentials(name), ...(name === 'logyard' ? {} : credentials) };
      await writeFileAtomic(paths.credentials(name), JSON.stringify(file), 0o600);
    }
    return new ControllerNode(folder, ports);
  }

  /** Starts the process and waits until its API answers. */
  async run(): Promise<void> {
    const argv = [
      'setpriv',
      '--pdeathsig',
      'KILL',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(sourceRoot, 'src', 'main.ts'),
    ];
    const env = { ...(environment.all() as Record<string, string>), STACKATO_STATE: this.state };
    const child = start([...argv, 'controller+aok+logyard'], { env }, ['ignore', 'ignore', 'pipe']);
    this.#child = child;
    const said: string[] = [];
    child.stderr?.setEncoding('utf8').on('data', (text: string) => void said.push(text));
    const endMs = Date.now() + READY_MS;
    const urls = [`${this.#url('controller')}/v3`, `${this.#url('aok')}/login`, `${this.#url('logyard')}/api/v1/info`];
    for (const url of urls) {
      while (!(await answers(url))) {
        assert.equal(child.exitCode, null, `the process ended: ${said.join('').slice(-3000)}`);
        assert.ok(Date.now() < endMs, `${url} did not answer within ${READY_MS} ms: ${said.join('').slice(-3000)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Ends the process as a lost machine would. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** The same URL at this node's controller: requests reach any of them. */
  at(url: string): string {
    const { pathname, search } = new URL(url, 'http://any');
    return `${this.#url('controller')}${pathname}${search}`;
  }

  async logIn(user: { email: string; password: string }): Promise<string> {
    const answer = await fetch(`${this.#url('aok')}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('cf:').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'password', username: user.email, password: user.password }),
    });
    assert.equal(answer.status, 200);
    const { access_token: token } = (await answer.json()) as { access_token: string };
    return token;
  }

  /** Calls the API here with this node's token; a form is sent as it is. */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const isForm = body instanceof FormData;
    const answer = await fetch(this.at(path), {
      method,
      headers: {
        authorization: `bearer ${this.token}`,
        ...(isForm || body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const job = /\/v3\/jobs\/([^/]+)$/.exec(answer.headers.get('location') ?? '')?.[1];
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text), job };
  }

  /** Texts of an app's recent lines, by the Log Cache API of this node. */
  async recentLines(app: string, query = 'descending=true&limit=1000'): Promise<{ text: string; atNs: string }[]> {
    const url = `${this.#url('logyard')}/api/v1/read/${app}?${query}`;
    const answer = await fetch(url, { headers: { authorization: `bearer ${this.token}` } });
    assert.equal(answer.status, 200);
    const { envelopes } = (await answer.json()) as {
      envelopes: { batch: { timestamp: string; log: { payload: string } }[] };
    };
    const lines = envelopes.batch.map(({ timestamp, log }) => ({
      text: Buffer.from(log.payload, 'base64').toString('utf8'),
      atNs: timestamp,
    }));
    return query.includes('descending=true') ? lines.reverse() : lines;
  }

  async first(path: string, user: unknown): Promise<void> {
    const answer = await fetch(`${this.#url('aok')}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(user),
    });
    assert.ok(answer.ok, await answer.text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#folder[Symbol.asyncDispose]();
  }

  #url(name: keyof ControllerNode['ports']): string {
    return `http://127.0.0.1:${this.ports[name]}`;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url);
    await answer.body?.cancel();
    return answer.ok;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
