import { isRecord, type ManifestReader } from './manifest-reader.ts';

/** The process-level part of an application of a manifest; absent means unchanged. MB, seconds, bytes a second. */
export type ManifestProcess = {
  readonly type: string;
  /** null removes a custom command. */
  readonly command?: string | null;
  readonly instances?: number;
  readonly memoryMb?: number;
  readonly diskMb?: number;
  readonly logRateBytesS?: number;
  readonly user?: string;
  readonly timeoutS?: number;
  readonly health: ManifestCheck;
  readonly readiness: ManifestCheck;
};

/** A health or readiness check as a manifest gives it. */
export type ManifestCheck = {
  readonly type?: 'port' | 'http' | 'process';
  readonly endpoint?: string;
  readonly invocationTimeoutS?: number;
  readonly intervalS?: number;
};

/** Keys of an application that act on its `web` process unless `processes` has one. */
export const processKeys = [
  'command',
  'instances',
  'memory',
  'disk-quota',
  'log-rate-limit-per-second',
  'health-check-type',
  'health-check-http-endpoint',
  'health-check-invocation-timeout',
  'health-check-interval',
  'readiness-health-check-type',
  'readiness-health-check-http-endpoint',
  'readiness-health-check-invocation-timeout',
  'readiness-health-check-interval',
  'timeout',
  'user',
] as const;

/** The processes of an application, with what its own keys say of its `web` process. */
export function readProcesses(read: ManifestReader): ManifestProcess[] {
  const listed = read.list('processes', 'Processes must be an array of process configurations', (item, index) => {
    if (!isRecord(item)) return undefined;
    if (typeof item.type !== 'string' || item.type === '') {
      read.complain('processes', 'All Processes must specify a type', [index]);
      return undefined;
    }
    return readProcess(read.inside(item, `Process "${item.type}": `, ['processes', index]), item.type);
  });
  for (const type of new Set(listed.map((process) => process.type))) {
    if (listed.filter((process) => process.type === type).length > 1) {
      read.complain('processes', `Process "${type}" may only be present once`);
    }
  }
  const hasWeb = listed.some((process) => process.type === 'web');
  if (hasWeb || !processKeys.some((key) => read.raw(key) !== undefined)) return listed;
  return [readProcess(read, 'web'), ...listed];
}

function readProcess(read: ManifestReader, type: string): ManifestProcess {
  const command = read.raw('command');
  if (command !== undefined && command !== null && typeof command !== 'string') {
    read.complain('command', 'Command must be a string');
  }
  const isDefault = command === null || command === 'default' || command === 'null';
  return {
    type,
    ...(isDefault ? { command: null } : typeof command === 'string' ? { command } : {}),
    ...read.number('instances', 'instances', 'Instances', 0),
    ...read.size('memory', 'memoryMb', 'Memory'),
    ...read.size('disk-quota', 'diskMb', 'Disk quota'),
    ...read.logRate('log-rate-limit-per-second'),
    ...read.optional('user', read.text('user')),
    ...read.number('timeout', 'timeoutS', 'Timeout', 1),
    health: readCheck(read, 'health-check', 'Health check'),
    readiness: readCheck(read, 'readiness-health-check', 'Readiness health check'),
  };
}

function readCheck(read: ManifestReader, prefix: string, label: string): ManifestCheck {
  const type = read.oneOf(`${prefix}-type`, ['port', 'http', 'process', 'none'], `${label} type`);
  const endpoint = read.text(`${prefix}-http-endpoint`);
  if (endpoint !== undefined && !endpoint.startsWith('/')) {
    read.complain(`${prefix}-http-endpoint`, `${label} HTTP endpoint must be a valid URI path`);
  }
  return {
    ...(type ? { type: type === 'none' ? 'process' : type } : {}),
    ...read.optional('endpoint', endpoint),
    ...read.number(`${prefix}-invocation-timeout`, 'invocationTimeoutS', `${label} invocation timeout`, 1),
    ...read.number(`${prefix}-interval`, 'intervalS', `${label} interval`, 1),
  };
}
