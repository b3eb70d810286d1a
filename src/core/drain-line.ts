import type { LogDrain } from './log-drain.ts';
import { readSystemLine } from './system-line.ts';

/** One line on its way to drains. */
export type DrainLine = {
  /** `apptail.<app guid>` or `systail.<process>.<node address>`. */
  readonly key: string;
  readonly atMs: number;
  readonly text: string;
  readonly isError: boolean;
  /** What it came from, for people: an app's name or a process. */
  readonly from: string;
  /** Within that: `APP/PROC/WEB/0`, or the node. */
  readonly part: string;
  readonly fields: Readonly<Record<string, string | number>>;
};

type AppLog = {
  readonly app: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly lines: readonly {
    readonly at: string;
    readonly source: string;
    readonly instance: string;
    readonly type: 'OUT' | 'ERR';
    readonly text: string;
  }[];
};

/** The lines of an app's log. */
export function appLines({ app, tags, lines }: AppLog, nowMs: number): DrainLine[] {
  return lines.map(({ at, source, instance, type, text }) => ({
    key: `apptail.${app}`,
    atMs: /^\d{7,19}$/.test(at) ? Number(BigInt(at) / 1_000_000n) : nowMs,
    text,
    isError: type === 'ERR',
    from: tags.app_name ?? app,
    part: `${source}/${instance}`,
    fields: {
      source,
      instance_index: Number(instance) || 0,
      app_guid: app,
      app_name: tags.app_name ?? '',
      app_space: tags.space_name ?? '',
    },
  }));
}

/** The lines of a process of ours. @param node its node's address, or id where that is not known */
export function systemLines(
  said: { readonly process: string; readonly lines: readonly string[] },
  node: string,
  nowMs: number,
): DrainLine[] {
  return said.lines.map((text) => {
    const { process, atMs = nowMs, level } = readSystemLine(said.process, text);
    const isError = level === 'error' || level === 'fatal';
    return {
      key: `systail.${process}.${node}`,
      atMs,
      text,
      isError,
      from: process,
      part: node,
      fields: { name: process },
    };
  });
}

/** The line as a drain sends it, without its end. */
export function formatDrainLine(line: DrainLine, format: LogDrain['format']): string {
  if (format === 'syslog') return syslogLine(line);
  const time = new Date(line.atMs).toISOString();
  const json = JSON.stringify({
    text: line.text,
    unix_time: Math.floor(line.atMs / 1000),
    human_time: time,
    ...(line.key.startsWith('systail') ? { node_id: line.part } : {}),
    ...line.fields,
  });
  return format === 'raw' ? `${line.key} ${json}` : json;
}

/** RFC 5424: facility user, severity error or info. */
function syslogLine({ key, atMs, text, isError, from, part }: DrainLine): string {
  const word = (value: string, length: number) => value.replace(/[^\x21-\x7e]+/g, '-').slice(0, length) || '-';
  const [kind = '', id = ''] = key.split('.');
  const [host, app, process] = kind === 'apptail' ? [from, id, `[${part}]`] : [part, from, '-'];
  const head = `<${isError ? 11 : 14}>1 ${new Date(atMs).toISOString()}`;
  return `${head} ${word(host, 255)} ${word(app, 48)} ${word(process, 128)} - - ${text.replace(/[\0\r\n]+/g, ' ')}`;
}
