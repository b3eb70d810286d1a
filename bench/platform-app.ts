import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMissing } from '../src/platform/files.ts';
import type { MicroCloud } from '../test/acceptance/micro-cloud.ts';
import { type Answer, ask } from './platform-load.ts';

const SERVER = `use strict; use warnings; use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 128, ReuseAddr => 1) or die "can't listen: $!";
$SIG{TERM} = sub { exit 0 }; $SIG{PIPE} = 'IGNORE';
while (1) {
    my $client = $server->accept or next;
    while (my $header = <$client>) { last if $header =~ /^\\r?\\n$/ }
    my $body = "$ENV{CF_INSTANCE_INDEX} $ENV{CF_INSTANCE_GUID}";
    print $client "HTTP/1.1 200 OK\\r\\nContent-Length: " . length($body) . "\\r\\nConnection: close\\r\\n\\r\\n$body";
    close $client;
}
`;

/** An app without dependencies whose instances answer with their index and id. */
export class BenchApp implements Disposable {
  readonly name = `bench-${process.pid}`;
  readonly host: string;
  readonly #cloud: MicroCloud;
  readonly #folder: string;
  #edits = 0;

  constructor(cloud: MicroCloud) {
    this.#cloud = cloud;
    this.host = `${this.name}.${cloud.domain}`;
    this.#folder = mkdtempSync(join(tmpdir(), 'bench-app-'));
    writeFileSync(join(this.#folder, 'Procfile'), 'web: exec perl server.pl\n');
    writeFileSync(join(this.#folder, 'server.pl'), SERVER);
    writeFileSync(join(this.#folder, 'manifest.yml'), `applications:\n- name: ${this.name}\n  memory: 64M\n`);
  }

  /** Changes a file, so that nothing of the last push can be taken over. */
  edit(): void {
    writeFileSync(join(this.#folder, 'server.pl'), `${SERVER}# ${++this.#edits}\n`);
  }

  async push(): Promise<void> {
    const { code, stdout, stderr } = await this.#cloud.node.stackato(['push'], { cwd: this.#folder });
    if (code !== 0) throw new Error(`push failed: ${stdout}${stderr}`);
  }

  async scale(instances: number): Promise<void> {
    const { code, stdout, stderr } = await this.#cloud.node.stackato(['scale', this.name, '-i', String(instances)]);
    if (code !== 0) throw new Error(`scale failed: ${stdout}${stderr}`);
  }

  get(): Promise<Answer> {
    return ask({ address: this.#cloud.node.address, host: this.host });
  }

  /** Index and id of the instance that answers. */
  async who(): Promise<{ index: number; id: string } | undefined> {
    const { status, body } = await this.get();
    const [index = '', id = ''] = body.split(' ');
    return status === 200 ? { index: Number(index), id } : undefined;
  }

  /** The process of one instance, on this machine. */
  async pidOf(index: number): Promise<number> {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      if ((await procText(pid, 'comm')).trim() !== 'perl') continue;
      const environment = await procText(pid, 'environ');
      if (environment.includes(`"${this.name}"`) && environment.includes(`CF_INSTANCE_INDEX=${index}\0`)) {
        return Number(pid);
      }
    }
    throw new Error(`no process of instance ${index}`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Empty for a process that is gone. */
async function procText(pid: string, name: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'latin1');
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) return '';
    throw error;
  }
}
