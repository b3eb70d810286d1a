import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import { decode } from '../../contract/decode.ts';
import { DomainRenamed } from '../../contract/domain-rename.ts';
import { describeNode } from '../../core/cluster-rules.ts';
import { effectOf } from '../../core/config-effect.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { readJsonIfExists, writeFileAtomic } from '../../platform/files.ts';
import type { Paths } from '../../platform/paths.ts';
import { callSigned } from '../api-client.ts';
import { changeConfig } from '../config-client.ts';
import { type LifecycleOptions, restartProcesses, startProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { copySettings } from '../settings-copy.ts';
import { ensureCertificates } from '../setup/certificates.ts';
import { type OtherNode, runOnOthers } from './others.ts';
import { knownTopology } from './registry-client.ts';

export type RenameOptions = LifecycleOptions & {
  readonly domain: string;
  /** Apps keep their addresses on the old domain. */
  readonly keepsAddresses: boolean;
  readonly renewsCertificates: boolean;
  readonly restarts: boolean;
};

export type Renamed = DomainRenamed & {
  readonly from: string;
  readonly to: string;
  readonly restarted: readonly string[];
  readonly nodes: readonly OtherNode[];
};

const DOMAIN_RENAME = '/internal/v1/domain_rename';
const RENAME_TIMEOUT_MS = 120_000;

/** A renaming that is under way. */
const Renaming = Type.Object({ from: Type.String(), to: Type.String() });
type Renaming = Static<typeof Renaming>;

/**
 * Gives the cluster another domain: apps' addresses, the platform's own, certificates, on every node. Each step may be
 * repeated, so that the same command finishes what was interrupted.
 *
 * @throws Refusal before anything was changed, when the domain can't be; or naming what does not answer
 */
export async function renameCluster(node: Node, options: RenameOptions): Promise<Renamed> {
  const { domain: to, say } = options;
  requireCore(node);
  if (!options.renewsCertificates) await refuseBalancer(node);
  const { from, wasCutShort } = await beginRenaming(node, to);
  const plans = listProcesses(node.file).filter(({ name }) => effectOf('cluster.domain').processes.includes(name));
  // It may have been cut short while they restarted.
  if (wasCutShort) await startProcesses(node, plans, options);
  say('moving the addresses of apps');
  const moved = await renameDomain(node, { from, to, keeps: options.keepsAddresses });
  await changeConfig(node, { path: 'cluster.domain', value: to });
  const renamed = await copySettings(node);
  if (options.renewsCertificates) {
    // Load balancers know routers by the old domain until they have heard of the new one.
    const domains = from === to ? [to] : [to, from];
    const made = await ensureCertificates(renamed, { domains });
    if (made) say('made certificates for the new domain');
  }
  if (options.restarts) await restartProcesses(renamed, plans, options);
  const nodes = options.restarts ? await runOnOthers(renamed, ['node', 'update'], options) : [];
  await rm(journal(node.paths), { force: true });
  return { from, to, ...moved, restarted: options.restarts ? plans.map(({ name }) => name) : [], nodes };
}

function requireCore({ file }: Node): void {
  if (file.roles.includes('primary')) return;
  throw new Refusal(`the cluster is renamed on its Core node, ${file.coreAddress}`, 'run the same command there');
}

async function refuseBalancer(node: Node): Promise<void> {
  const balancer = (await knownTopology(node))?.nodes.find(({ roles }) => roles.includes('load_balancer'));
  if (balancer === undefined) return;
  throw new Refusal(
    `the load balancer ${describeNode(balancer)} knows routers by the domain in their certificates, and would find none; nothing was changed`,
    'run it without --skip-certificates',
  );
}

const journal = (paths: Paths) => join(paths.setup, 'rename.json');

/** The domain that is left; what an interrupted renaming left is known from its journal. */
async function beginRenaming({ paths }: Node, to: string): Promise<{ from: string; wasCutShort: boolean }> {
  const value = await readJsonIfExists(journal(paths));
  const pending = value === undefined ? undefined : decode(Renaming, value, journal(paths));
  if (pending !== undefined && pending.to !== to && pending.from !== to) {
    throw new Refusal(
      `a renaming from ${pending.from} to ${pending.to} was cut short`,
      `finish it (kato node rename api.${pending.to}), or go back (kato node rename api.${pending.from})`,
    );
  }
  const current = (await openNode(paths.state)).config.cluster.domain;
  const from = pending === undefined ? current : pending.to === to ? pending.from : pending.to;
  const begun: Renaming = { from, to };
  await writeFileAtomic(journal(paths), `${JSON.stringify(begun)}\n`, 0o600);
  return { from, wasCutShort: pending !== undefined };
}

async function renameDomain(node: Node, wanted: { from: string; to: string; keeps: boolean }): Promise<DomainRenamed> {
  const { config, paths } = node;
  const call = { port: config.controller.port, path: DOMAIN_RENAME, body: wanted, timeoutMs: RENAME_TIMEOUT_MS };
  const answer = await callSigned(node, call).catch((cause: Error) => {
    throw new Refusal(`the controller does not answer: ${cause.message}`, 'run `kato start` first', { cause });
  });
  if (answer.status === 200) return decode(DomainRenamed, JSON.parse(answer.body), 'answer of the controller');
  if (answer.status === 422) {
    // Nothing was changed.
    await rm(journal(paths), { force: true });
    throw new Refusal(`${detailOf(answer.body)}; nothing was changed`, 'give another domain, or free this one');
  }
  throw new Refusal(`the controller answered ${answer.status}`, `read ${paths.log}/controller.log, then try again`);
}

function detailOf(body: string): string {
  const { errors } = JSON.parse(body) as { errors?: { detail?: string }[] };
  return errors?.[0]?.detail ?? body;
}
