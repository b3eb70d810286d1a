import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { installCertificate, listCertificates, removeCertificate } from '../custom-certificates.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { table } from '../terminal.ts';
import { describe, terminalOf } from './command.ts';

/** `kato op custom_ssl_cert install | remove | list`. */
export function certificateCommand(group: Command): void {
  const certificates = group
    .command('custom_ssl_cert')
    .summary('certificates of your own')
    .description(
      describe(
        'Certificates of your own for domains of apps, chosen by the name that a client asks for (SNI). Run it on the Core:\nevery router and load balancer takes them up within seconds while requests go on.',
        'kato op custom_ssl_cert install www.key www.pem www.example.com',
        'kato op custom_ssl_cert list',
      ),
    );
  certificates
    .command('install')
    .argument('<key>', 'file with the private key (PEM)')
    .argument('<cert>', 'file with the certificate and its chain (PEM)')
    .argument('<domain>')
    .option('--wildcard-subdomains', 'for all names below the domain too')
    .summary('installs a certificate')
    .description(
      describe(
        'Installs a certificate, or replaces it.',
        'kato op custom_ssl_cert install www.key www.pem www.example.com',
      ),
    )
    .action(
      async (
        key: string,
        certificate: string,
        domain: string,
        options: { wildcardSubdomains?: boolean },
        command: Command,
      ) => {
        const files = { key: await read(key), certificate: await read(certificate) };
        const wanted = { domain: domain.toLowerCase(), isWildcard: options.wildcardSubdomains ?? false };
        const installed = await installCertificate(await openNode(), files, wanted);
        const { names, until, isReplaced } = installed;
        const text = `${isReplaced ? 'replaced that for' : 'installed for'} ${names.join(', ')}, good until ${until}`;
        terminalOf(command).result(`${text}; every router and load balancer takes it up within seconds`, installed);
      },
    );
  certificates
    .command('remove')
    .argument('<domain>')
    .summary('takes a certificate away')
    .description(
      describe('Takes a certificate away from the whole cluster.', 'kato op custom_ssl_cert remove www.example.com'),
    )
    .action(async (domain: string, _options: unknown, command: Command) => {
      await removeCertificate(await openNode(), domain.toLowerCase());
      terminalOf(command).result(`removed the certificate for ${domain}`, { removed: domain });
    });
  certificates
    .command('list')
    .summary('shows them')
    .description(
      describe(
        'Shows the certificates that are installed; on another node than the Core, those that the node serves.',
        'kato op custom_ssl_cert list --json',
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const found = await listCertificates(await openNode());
      const rows = found.map(({ domain, until, names }) => [domain, until, names.join(' ')]);
      const text = table([['DOMAIN', 'GOOD UNTIL', 'NAMES'], ...rows]);
      terminalOf(command).result(found.length > 0 ? text : 'none is installed', found);
    });
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new Refusal(`${path} can't be read: ${(cause as Error).message}`, 'give the path of a PEM file', { cause });
  }
}
