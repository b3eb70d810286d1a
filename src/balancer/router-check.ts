import { request } from 'node:https';

export type Checked = { readonly host: string; readonly port: number };
export type CheckOptions = {
  /** The name that the router's certificate must have. */
  readonly name: string;
  /** The authority's certificates, PEM. */
  readonly ca: string;
  readonly timeoutMs: number;
};

/** What a router answered: why it is not well, if so, and whether its table of routes may be out of date. */
export type Answer = { readonly problem?: string; readonly isBehind?: boolean };

/** Asks a router whether it is well, over a connection of its own. */
export function checkRouter({ host, port }: Checked, { name, ca, timeoutMs }: CheckOptions): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const headers = { host: name, 'user-agent': 'HTTP-Monitor/1.1' };
  const sent = request({ host, port, ca, servername: name, headers, path: '/health', agent: false }, (answer) => {
    clearTimeout(timer);
    answer.resume();
    answer.on('error', (error) => resolve({ problem: error.message }));
    const isBehind = answer.headers['x-stackato-table'] === '0';
    const { statusCode } = answer;
    answer.on('end', () =>
      resolve(statusCode === 200 ? { isBehind } : { problem: `GET /health answers ${statusCode}` }),
    );
  });
  const timer = setTimeout(() => sent.destroy(new Error(`silent for ${timeoutMs} ms`)), timeoutMs);
  sent.on('error', (error) => {
    clearTimeout(timer);
    resolve({ problem: error.message });
  });
  sent.end();
  return promise;
}

/** What is known of one router: undefined until the first answer. */
export type Opinion =
  | { readonly isUp: boolean; readonly isBehind: boolean; readonly strikes: number; readonly why: string }
  | undefined;

const STRIKES = 2;

/** One bad answer may be a hiccup, two are a router that is down; one good answer is a router that is up. */
export function judge(before: Opinion, { problem, isBehind = false }: Answer): NonNullable<Opinion> {
  if (problem === undefined) {
    return { isUp: true, isBehind, strikes: 0, why: isBehind ? 'its routes may be out of date' : '' };
  }
  const strikes = (before?.strikes ?? 0) + 1;
  return { isUp: before?.isUp === true && strikes < STRIKES, isBehind, strikes, why: problem };
}
