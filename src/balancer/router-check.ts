import { request } from 'node:https';

export type Checked = { readonly host: string; readonly port: number };
export type CheckOptions = {
  /** The name that the router's certificate must have. */
  readonly name: string;
  /** The authority's certificates, PEM. */
  readonly ca: string;
  readonly timeoutMs: number;
};

/** Asks a router whether it is well, over a connection of its own; undefined when it is, else why not. */
export function checkRouter(
  { host, port }: Checked,
  { name, ca, timeoutMs }: CheckOptions,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const headers = { host: name, 'user-agent': 'HTTP-Monitor/1.1' };
  const sent = request({ host, port, ca, servername: name, headers, path: '/health', agent: false }, (answer) => {
    clearTimeout(timer);
    answer.resume();
    answer.on('error', (error) => resolve(error.message));
    answer.on('end', () => resolve(answer.statusCode === 200 ? undefined : `GET /health answers ${answer.statusCode}`));
  });
  const timer = setTimeout(() => sent.destroy(new Error(`silent for ${timeoutMs} ms`)), timeoutMs);
  sent.on('error', (error) => {
    clearTimeout(timer);
    resolve(error.message);
  });
  sent.end();
  return promise;
}

/** What is known of one router: undefined until the first answer. */
export type Opinion = { readonly isUp: boolean; readonly strikes: number; readonly why: string } | undefined;

const STRIKES = 2;

/** One bad answer may be a hiccup, two are a router that is down; one good answer is a router that is up. */
export function judge(before: Opinion, problem: string | undefined): NonNullable<Opinion> {
  if (problem === undefined) return { isUp: true, strikes: 0, why: '' };
  const strikes = (before?.strikes ?? 0) + 1;
  return { isUp: before?.isUp === true && strikes < STRIKES, strikes, why: problem };
}
