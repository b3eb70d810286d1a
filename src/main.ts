import { flushCompileCache } from 'node:module';
import type { Role } from './roles/role.ts';

/** Processes that are roles; each is loaded only when it is the one to run. */
const roles: Readonly<Record<string, () => Promise<Role>>> = {
  aok: async () => (await import('./roles/aok.ts')).aok,
  base: async () => (await import('./roles/base.ts')).base,
  controller: async () => (await import('./roles/controller.ts')).controller,
  dea: async () => (await import('./roles/dea.ts')).dea,
  health_manager: async () => (await import('./roles/health-manager.ts')).healthManager,
  load_balancer: async () => (await import('./roles/load-balancer.ts')).loadBalancer,
  logyard: async () => (await import('./roles/logyard.ts')).logyard,
  mdns: async () => (await import('./roles/mdns.ts')).mdns,
  primary: async () => (await import('./roles/primary.ts')).primary,
  router: async () => (await import('./roles/router.ts')).router,
  stager: async () => (await import('./roles/stager.ts')).stager,
};

const [name = '', ...args] = process.argv.slice(2);
const stop = new AbortController();
// A command that does not end by itself when asked is ended by the second Ctrl-C.
const listen = name === 'kato' || name === 'stackato' ? 'once' : 'on';
for (const signal of ['SIGTERM', 'SIGINT', 'SIGUSR2'] as const) process[listen](signal, () => stop.abort(signal));
// A terminal that is closed ends a push as Ctrl-C does.
if (name === 'stackato') process.once('SIGHUP', () => stop.abort('SIGHUP'));

if (name === 'kato') {
  const { kato } = await import('./kato/main.ts');
  process.exitCode = await kato(args, stop.signal);
} else if (name === 'stackato') {
  const { stackato } = await import('./stackato/main.ts');
  process.exitCode = await stackato(args, stop.signal);
} else if (name === 'compile') {
  // Loads what processes will load, to fill the cache of compiled code that they start from.
  await import('./roles/process.ts');
  for (const one of args) await roles[one]?.();
  flushCompileCache();
} else {
  const { runProcess } = await import('./roles/process.ts');
  // Every part has stopped: a handle that one of them forgot must not keep the successor waiting.
  process.exit(await runProcess(name, roles, stop.signal));
}
