import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../../platform/exec.ts';
import { readTextIfExists } from '../../platform/files.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import { sourceRoot } from '../../platform/paths.ts';
import type { Step } from './step.ts';

const START_TIMEOUT_MS = 900_000;
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
    if (wrote) {
      await exec(['systemctl', 'daemon-reload']);
      await exec(['systemctl', 'enable', 'stackato.service']);
    }
    // Everything runs already; to a unit that was not started, `systemctl stop` and a reboot would do nothing.
    const { code } = await exec(['systemctl', 'is-active', '--quiet', 'stackato.service'], { okCodes: [0, 3] });
    if (code !== 0) await exec(['systemctl', 'start', 'stackato.service'], { timeoutMs: START_TIMEOUT_MS });
    return wrote || code !== 0 ? 'done' : 'already';
  },
};

function unitText(state: string): string {
  const kato = join(sourceRoot, 'bin', 'kato');
  return `# Written by kato.
[Unit]
Description=Stackato
Wants=network-online.target
StartLimitIntervalSec=3600
StartLimitBurst=20
After=network-online.target nftables.service firewalld.service ufw.service

[Service]
Type=oneshot
RemainAfterExit=yes
Environment="STACKATO_STATE=${state.replaceAll('%', '%%')}"
ExecStart=${kato} start
ExecStop=${kato} stop
TimeoutStartSec=infinity
TimeoutStopSec=180
Restart=on-failure
RestartSec=15
# What a start that failed has already brought up is left alone; the next one goes on from there.
KillMode=process
Delegate=yes

[Install]
WantedBy=multi-user.target
`;
}

/** Nothing is started at boot any more. */
export async function removeBootService(): Promise<void> {
  if ((await readTextIfExists(UNIT)) === undefined) return;
  await exec(['systemctl', 'disable', 'stackato.service'], { okCodes: [0, 1] });
  await rm(UNIT, { force: true });
  await exec(['systemctl', 'daemon-reload']);
}
