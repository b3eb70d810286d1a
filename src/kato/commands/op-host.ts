import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { Command } from 'commander';
import { systemHosts } from '../../contract/hosts.ts';
import { effectOf } from '../../core/config-effect.ts';
import { parseProxy, remapHosts, withProxy } from '../../core/host-settings.ts';
import { writeHostsBlock } from '../../core/hosts-file.ts';
import { replaceHostsFile } from '../../platform/hosts-file.ts';
import { readTopology } from '../cluster/registry-client.ts';
import { changeConfig } from '../config-client.ts';
import { effectInWords } from '../config-effect.ts';
import { type Node, openNode, requireRoot } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { setTimeZone } from '../time-zone.ts';
import { describe, terminalOf } from './command.ts';

/** `kato op max_client_upload | upstream_proxy | set_timezone | update_hostsfile | remap_hosts`. */
export function hostCommands(group: Command): void {
  uploadCommand(group);
  proxyCommand(group);
  zoneCommand(group);
  hostsCommand(group);
  remapCommand(group);
}

function uploadCommand(group: Command): void {
  group
    .command('max_client_upload')
    .argument('<megabytes>')
    .summary('the largest package that may be uploaded')
    .description(
      describe(
        'Sets controller.maxUploadMb: the largest package that may be uploaded.',
        'kato op max_client_upload 2048',
      ),
    )
    .action(async (text: string, _flags: unknown, command: Command) => {
      const value = Number(text);
      if (!Number.isSafeInteger(value) || value < 1)
        throw new Refusal(`'${text}' is no number of megabytes`, 'for example 2048');
      await change(command, 'controller.maxUploadMb', value);
    });
}

function proxyCommand(group: Command): void {
  const proxy = group
    .command('upstream_proxy')
    .summary('the proxy through which staging reaches the outside')
    .description(
      describe(
        'Sets or deletes the proxy through which staging reaches the outside (in staging.environment).',
        'kato op upstream_proxy set proxy.example.com:3128',
        'kato op upstream_proxy delete',
      ),
    );
  proxy
    .command('set')
    .argument('<address>', 'host:port, or http://[user:password@]host:port')
    .summary('sets it')
    .description(describe('Sets the proxy of staging.', 'kato op upstream_proxy set proxy.example.com:3128'))
    .action(async (text: string, _flags: unknown, command: Command) => {
      const address = parseProxy(text);
      if (address === undefined) throw new Refusal(`'${text}' is no proxy`, 'for example proxy.example.com:3128');
      await changeProxy(command, address);
    });
  proxy
    .command('delete')
    .summary('deletes it')
    .description(describe('Deletes the proxy of staging.', 'kato op upstream_proxy delete'))
    .action((_flags: unknown, command: Command) => changeProxy(command, undefined));
}

async function changeProxy(command: Command, proxy: string | undefined): Promise<void> {
  const { config } = await openNode();
  const { environment } = config.staging;
  await change(command, 'staging.environment', withProxy(environment, { proxy, domain: config.cluster.domain }));
}

async function change(command: Command, path: string, value: unknown): Promise<void> {
  const node = await openNode();
  const revision = await changeConfig(node, { path, value });
  const effect = effectOf(path);
  terminalOf(command).result(`revision ${revision}; ${await effectInWords(node, effect)}`, {
    revision,
    setting: path,
    ...effect,
  });
}

function zoneCommand(group: Command): void {
  group
    .command('set_timezone')
    .argument('<zone>', 'such as Europe/Zurich')
    .summary('the time zone of this machine')
    .description(
      describe(
        'Gives this machine a time zone. Logs of the platform and apps go by UTC.',
        'kato op set_timezone Europe/Zurich',
      ),
    )
    .action(async (zone: string, _flags: unknown, command: Command) => {
      requireRoot();
      const isChanged = await setTimeZone(zone);
      terminalOf(command).result(isChanged ? `time zone: ${zone}` : `time zone: ${zone}, as before`, {
        zone,
        isChanged,
      });
    });
}

function hostsCommand(group: Command): void {
  group
    .command('update_hostsfile')
    .summary("writes the platform's names into this machine's hosts file")
    .description(
      describe(
        "Writes the names of API, console and login server into this machine's hosts file, for machines without DNS.",
        'kato op update_hostsfile',
      ),
    )
    .action(async (_flags: unknown, command: Command) => {
      const node = await openNode();
      const { domain } = node.config.cluster;
      if (node.file.isMicro && /\.(localhost|local)$/.test(domain)) {
        throw new Refusal(
          `the names below ${domain} are kept by the base role already`,
          '`kato status` shows whether it runs',
        );
      }
      const address = await entranceOf(node);
      const names = Object.values(systemHosts(domain));
      const file = await rewriteHosts(node, (text) => writeHostsBlock(text, names, address));
      terminalOf(command).result(`${file}: ${names.length} names at ${address}`, { file, address, names });
    });
}

/** Where requests come in: a load balancer, else a router. */
async function entranceOf(node: Node): Promise<string> {
  const { nodes } = await readTopology(node);
  const entrance = ['load_balancer', 'router'].flatMap((role) => nodes.filter(({ roles }) => roles.includes(role)))[0];
  if (entrance !== undefined) return entrance.address;
  throw new Refusal('no node has the router role', 'kato role add router');
}

function remapCommand(group: Command): void {
  group
    .command('remap_hosts')
    .argument('<old>', 'address')
    .argument('<new>', 'address')
    .summary("replaces an address in this machine's hosts file")
    .description(describe("Replaces an address in this machine's hosts file.", 'kato op remap_hosts 10.0.0.5 10.1.0.5'))
    .action(async (from: string, to: string, _flags: unknown, command: Command) => {
      for (const one of [from, to]) {
        if (!isIPv4(one))
          throw new Refusal(`'${one}' is no address`, 'for example kato op remap_hosts 10.0.0.5 10.1.0.5');
      }
      let lines = 0;
      const file = await rewriteHosts(await openNode(), (text) => {
        const remapped = remapHosts(text, from, to);
        lines = remapped.lines;
        return remapped.text;
      });
      terminalOf(command).result(`${file}: ${lines} line${lines === 1 ? '' : 's'} changed`, { file, lines });
    });
}

async function rewriteHosts({ file }: Node, rewrite: (text: string) => string): Promise<string> {
  const path = file.hostsFile ?? '/etc/hosts';
  const text = await readFile(path, 'utf8');
  const wanted = rewrite(text);
  if (wanted !== text) await replaceHostsFile(path, wanted);
  return path;
}
