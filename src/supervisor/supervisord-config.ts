import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Program } from './supervisor.ts';

export type SupervisordSettings = {
  /** Folder for the configuration, the pid file and supervisord's own log. */
  readonly folder: string;
  /** Folder for the programs' logs. */
  readonly logFolder: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Open files allowed to each program. */
  readonly openFiles: number;
};

/**
 * supervisord's configuration file.
 *
 * @throws Error for what its format can't carry: line ends, and double quotes in variables
 */
export function formatSupervisordConfig(settings: SupervisordSettings, programs: readonly Program[]): string {
  const hash = createHash('sha1').update(settings.password).digest('hex');
  const head = [
    '; Written by kato; changes are overwritten.',
    '[supervisord]',
    `logfile=${literal(join(settings.folder, 'supervisord.log'))}`,
    'logfile_maxbytes=5MB',
    'logfile_backups=2',
    `pidfile=${literal(join(settings.folder, 'supervisord.pid'))}`,
    `childlogdir=${literal(settings.logFolder)}`,
    `minfds=${settings.openFiles}`,
    'minprocs=200',
    '',
    '[inet_http_server]',
    `port=127.0.0.1:${settings.port}`,
    `username=${literal(settings.user)}`,
    `password={SHA}${hash}`,
    '',
    '[rpcinterface:supervisor]',
    'supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface',
  ];
  return `${[...head, ...programs.flatMap((program) => ['', ...formatProgram(settings, program)])].join('\n')}\n`;
}

function formatProgram(settings: SupervisordSettings, program: Program): string[] {
  if (!/^[a-z0-9_-]+$/.test(program.name)) throw new Error(`'${program.name}' is no name for a program`);
  return [
    `[program:${program.name}]`,
    `command=${program.command.map(quoted).join(' ')}`,
    `environment=${Object.entries(program.environment).map(formatVariable).join(',')}`,
    ...(program.user === undefined ? [] : [`user=${literal(program.user)}`]),
    ...(program.directory === undefined ? [] : [`directory=${literal(program.directory)}`]),
    `priority=${program.priority}`,
    'autostart=false',
    'autorestart=true',
    'startsecs=1',
    // supervisord gives up after this many failures in a row; a dependency that is long away must not do that.
    'startretries=1000000',
    `stopsignal=${program.stopSignal ?? 'TERM'}`,
    `stopwaitsecs=${program.stopWaitS}`,
    // What a program looks after (containers, a proxy) outlives its kill.
    'stopasgroup=false',
    'killasgroup=false',
    'redirect_stderr=true',
    `stdout_logfile=${literal(join(settings.logFolder, `${program.name}.log`))}`,
    'stdout_logfile_maxbytes=10MB',
    'stdout_logfile_backups=3',
  ];
}

function formatVariable([name, value]: [string, string]): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes('"')) {
    throw new Error(`supervisord can't pass on the variable ${name}: its name or value has a character it can't write`);
  }
  return `${name}="${literal(value)}"`;
}

/** `%` starts an expansion, ` ;` a comment, a line end the next setting. */
function literal(text: string): string {
  if (/[\r\n]| ;/.test(text)) throw new Error('supervisord can not carry line ends or " ;" in a setting');
  return text.replaceAll('%', '%%');
}

function quoted(word: string): string {
  const safe = literal(word);
  return /^[A-Za-z0-9_/.:=+,@%-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", `'"'"'`)}'`;
}
