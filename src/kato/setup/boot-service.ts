import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../../platform/exec.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import { sourceRoot } from '../../platform/paths.ts';
import type { Step } from './step.ts';

const UNIT = '/etc/systemd/system/stackato.service';

/** Everything comes back by itself after a reboot, where systemd runs. */
export const installBootService: Step = {
  title: 'Start at boot',
  run: async ({ options, notes }) => {
    if ((await readFile('/proc/1/comm', 'utf8')).trim() !== 'systemd') {
      notes.push(
        `this machine does not run systemd: have its own start-up run \`${join(sourceRoot, 'bin', 'kato')} start\``,
      );
      return { skipped: 'left out: systemd does not run here' };
    }
    const wrote = await writeOwnedFile(UNIT, unitText(options.state), { owner: { uid: 0, gid: 0 }, mode: 0o644 });
    if (!wrote) return 'already';
    await exec(['systemctl', 'daemon-reload']);
    await exec(['systemctl', 'enable', 'stackato.service']);
    return 'done';
  },
};

function unitText(state: string): string {
  const kato = join(sourceRoot, 'bin', 'kato');
  return `# Written by kato.
[Unit]
Description=Stackato
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
Environment="STACKATO_STATE=${state.replaceAll('%', '%%')}"
ExecStart=${kato} start
ExecStop=${kato} stop
TimeoutStartSec=infinity
TimeoutStopSec=180
KillMode=mixed
Delegate=yes

[Install]
WantedBy=multi-user.target
`;
}
