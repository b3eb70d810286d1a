import { decode } from '../../contract/decode.ts';
import { systemHosts } from '../../contract/hosts.ts';
import { NodeFile } from '../../contract/node.ts';
import { judgeSetUp } from '../../core/cluster-rules.ts';
import { environment } from '../../platform/config.ts';
import { readJsonIfExists } from '../../platform/files.ts';
import { pathsOf } from '../../platform/paths.ts';
import { knownTopology } from '../cluster/registry-client.ts';
import { openNode, requireRoot } from '../node.ts';
import { Refusal } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';
import { settleAnswers } from './answers.ts';
import { installBootService } from './boot-service.ts';
import { configureBus } from './bus.ts';
import { makeCertificates } from './certificates.ts';
import { buildConsole } from './console.ts';
import { makeDatabase } from './database.ts';
import { findNewAdmin, forgetAdminPassword, isLeftToOthers, makeFirstAdmin, makeOrganization } from './first-admin.ts';
import { makeLinks } from './links.ts';
import { checkMachine } from './machine.ts';
import { endSetUp } from './marks.ts';
import { installPackages } from './packages.ts';
import { checkPorts } from './ports.ts';
import { findSetupPassword, forgetSetupPassword } from './setup-password.ts';
import { makeStack } from './stack.ts';
import { prepareDatabase, startEverything } from './start.ts';
import { writeState } from './state-folder.ts';
import { runSteps, type SetupContext, type SetupOptions, type Step } from './step.ts';
import { pushWelcome, schemeOf, welcomeHost } from './welcome.ts';

const microSteps: readonly Step[] = [
  checkMachine,
  installPackages,
  checkPorts,
  writeState,
  makeCertificates,
  configureBus,
  makeDatabase,
  buildConsole,
  makeStack,
  prepareDatabase,
  startEverything,
  makeFirstAdmin,
  makeOrganization,
  pushWelcome,
  installBootService,
];

const coreSteps: readonly Step[] = microSteps
  .filter((step) => step !== makeStack && step !== pushWelcome)
  .flatMap((step) => (step === makeDatabase ? [step, makeLinks] : [step]));

/** Turns this machine into a micro cloud or the first node of a cluster; repeating it finishes what was interrupted and changes nothing else. */
export async function setUpFirstNode(
  options: Omit<SetupOptions, 'state'>,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<void> {
  const { state } = environment;
  requireRoot();
  await refuseMember(options.kind, state);
  const context: SetupContext = {
    options: await settleAnswers({ ...options, state }, terminal),
    terminal,
    signal,
    notes: [],
    node: () => openNode(state),
  };
  await runSteps(options.kind === 'micro' ? microSteps : coreSteps, context);
  const node = await context.node();
  await endSetUp(node.paths);
  const admin = await findNewAdmin(node, context.options);
  const forOthers = isLeftToOthers(context.options) ? await findSetupPassword(node.paths) : undefined;
  for (const note of context.notes) terminal.say(`note: ${note}`);
  const hosts = systemHosts(node.config.cluster.domain);
  const scheme = schemeOf(node);
  const addresses = {
    console: `${scheme}://${hosts.console}`,
    api: `${scheme}://${hosts.api}`,
    ...(options.kind === 'micro' && options.welcome && options.firstUser !== false
      ? { welcome: `${scheme}://${welcomeHost(node.config.cluster.domain)}` }
      : {}),
  };
  if (admin !== undefined) {
    terminal.say(
      `The administrator is ${admin.email}; next: bin/stackato target ${addresses.api}, then bin/stackato login ${admin.email}`,
    );
  }
  const generated = admin?.wasGenerated ? { email: admin.email, password: admin.password } : undefined;
  const lines =
    generated === undefined
      ? []
      : [`administrator ${generated.email}, password ${generated.password} (shown only now)`];
  const claim = forOthers?.wasGenerated ? { setupPassword: forOthers.password } : undefined;
  if (claim !== undefined) lines.push(`set-up password ${claim.setupPassword} (shown only now)`);
  terminal.result([...lines, ...Object.values(addresses)].join('\n'), {
    ...{ ...addresses, ...generated, ...claim },
  });
  if (isLeftToOthers(context.options)) await forgetSetupPassword(node.paths);
  else await forgetAdminPassword(node);
}

/** A node of a cluster is not set up anew under its feet. */
async function refuseMember(kind: SetupOptions['kind'], state: string): Promise<void> {
  const paths = pathsOf(state);
  const file = await readJsonIfExists(paths.nodeFile);
  if (file === undefined) return;
  const node = { paths, file: decode(NodeFile, file, paths.nodeFile) };
  const fault = judgeSetUp(kind, node.file, await knownTopology(node));
  if (fault !== undefined) throw new Refusal(fault.refused, fault.next);
}
