import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemHosts } from '../../contract/hosts.ts';
import { systemClock } from '../../platform/clock.ts';
import { ExecError, exec } from '../../platform/exec.ts';
import { isMissing } from '../../platform/files.ts';
import { sourceRoot } from '../../platform/paths.ts';
import { callHttp } from '../api-client.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { getAdmin, isLeftToOthers, welcomeSpace } from './first-admin.ts';
import { hasMark, leaveMark } from './marks.ts';
import type { Step } from './step.ts';

const MARK = 'welcome.done';
const PUSH_TIMEOUT_MS = 900_000;
const ANSWER_TIMEOUT_MS = 60_000;
const SAMPLE = join(sourceRoot, 'samples', 'welcome');

/** Host of the welcome app. */
export function welcomeHost(domain: string): string {
  return `welcome.${domain}`;
}

/** Pushes the welcome app with the client, as anybody would, and waits until it answers through the router. */
export const pushWelcome: Step = {
  title: 'Welcome app',
  run: async (context) => {
    if (!context.options.welcome) return { skipped: 'left out, as asked' };
    if (isLeftToOthers(context.options)) return { skipped: 'left out: there is no administrator yet' };
    const node = await context.node();
    if (await hasMark(node.paths, MARK)) return 'already';
    if (!(await isFolder(SAMPLE))) return { skipped: 'left out: this version has no samples/welcome' };
    await push(node, context.signal);
    await untilAnswers(node, context.signal);
    await leaveMark(node.paths, MARK);
    return 'done';
  },
};

async function push(node: Node, signal: AbortSignal): Promise<void> {
  const admin = await getAdmin(node);
  const home = join(node.paths.setup, 'client');
  const { domain } = node.config.cluster;
  const client = (args: readonly string[], env: Record<string, string> = {}) =>
    exec([join(sourceRoot, 'bin', 'stackato'), ...args], {
      cwd: SAMPLE,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8', CI: '1', STACKATO_HOME: home, ...env },
      timeoutMs: PUSH_TIMEOUT_MS,
      signal,
    });
  try {
    await client(['target', apiAddress(node)]);
    await client(['login', admin.email, '--organization', admin.org, '--space', welcomeSpace], {
      STACKATO_PASSWORD: admin.password,
    });
    await client(['push', 'welcome']);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    const said = `${error.stdout}\n${error.stderr}`.trim().split('\n').slice(-15).join('\n');
    throw new Refusal(`the welcome app could not be pushed:\n${said}`, `read the logs in ${node.paths.log}`, {
      cause: error,
    });
  } finally {
    await client(['logout']).catch((error: unknown) => {
      if (!(error instanceof ExecError)) throw error;
    });
  }
  if (domain === '') throw new Error('the cluster has no domain');
}

/** The API's address: plain HTTP where names exist on this machine alone. */
export function apiAddress(node: Node): string {
  return `${schemeOf(node)}://${systemHosts(node.config.cluster.domain).api}`;
}

/** `http` where names exist on this machine alone, else `https`. */
export function schemeOf(node: Node): 'http' | 'https' {
  return node.config.cluster.domain.endsWith('.localhost') ? 'http' : 'https';
}

async function untilAnswers(node: Node, signal: AbortSignal): Promise<void> {
  const endMs = systemClock.nowMs() + ANSWER_TIMEOUT_MS;
  const host = welcomeHost(node.config.cluster.domain);
  const ask = async () => {
    try {
      return (await callHttp({ port: node.config.router.httpPort, method: 'GET', path: '/', headers: { host } }, 5000))
        .status;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  for (let answer = await ask(); answer !== 200; answer = await ask()) {
    if (systemClock.nowMs() > endMs) {
      throw new Refusal(
        `the welcome app was pushed, but ${host} answers ${answer}`,
        `read ${node.paths.log}/router.log and dea.log`,
      );
    }
    await systemClock.sleep(250, signal);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
