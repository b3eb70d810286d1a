import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { writeFileAtomic } from '../../platform/files.ts';
import { ClientError } from '../client-error.ts';
import { type Context, connect } from '../context.ts';
import { define, gather, globalsOf, type Run } from './command.ts';

type CurlOptions = {
  readonly method?: string;
  readonly data?: string;
  readonly header?: readonly string[];
  readonly include?: boolean;
  readonly fail?: boolean;
  readonly output?: string;
};

/** curl. */
export function curlCommand(program: Command, run: Run): void {
  define(program, 'curl <path>', {
    summary: 'Call the API as the one who is logged in',
    examples: ['curl /v3/apps', 'curl /v3/organizations -X POST -d \'{"name":"acme"}\''],
  })
    .option('-X, --method <method>', 'GET, or POST with data')
    .option('-d, --data <data>', 'body; @FILE reads it from a file')
    .option('-H, --header <header>', 'header, as Name: value; repeatable', gather)
    .option('-i, --include', 'print the status and headers too')
    .option('--fail', 'exit with 22 when the API answers an error')
    .option('--output <file>', 'write the body to a file')
    .action((path: string, options: CurlOptions, command: Command) =>
      run(globalsOf(command), (context) => curl(context, path, options)),
    );
}

async function curl(context: Context, path: string, options: CurlOptions): Promise<void> {
  const { terminal } = context;
  const { api } = await connect(context);
  const body = await bodyOf(options.data);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  for (const header of options.header ?? []) {
    const at = header.indexOf(':');
    if (at < 1) throw new ClientError(`'${header}' is not Name: value`, { exitCode: 2 });
    headers[header.slice(0, at).trim().toLowerCase()] = header.slice(at + 1).trim();
  }
  const reply = await api.authorized({
    method: options.method?.toUpperCase() ?? (body === undefined ? 'GET' : 'POST'),
    url: `${api.target}/${path.replace(/^\/+/, '')}`,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  if (options.include) {
    const lines = Object.entries(reply.headers).map(([name, value]) => `${name}: ${String(value)}`);
    terminal.write(`HTTP/1.1 ${reply.status}\n${lines.join('\n')}\n\n`);
  }
  if (options.output === undefined) terminal.write(reply.text.endsWith('\n') ? reply.text : `${reply.text}\n`);
  else await writeFileAtomic(options.output, reply.text);
  if (options.fail && reply.status >= 400) throw new ClientError(`The API answered ${reply.status}`, { exitCode: 22 });
}

async function bodyOf(data: string | undefined): Promise<string | undefined> {
  if (!data?.startsWith('@')) return data;
  try {
    return await readFile(data.slice(1), 'utf8');
  } catch (error) {
    throw new ClientError(`${data.slice(1)} can't be read: ${(error as Error).message}`, { cause: error });
  }
}
