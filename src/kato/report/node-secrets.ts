import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { secretsIn, textsIn } from '../../core/redaction.ts';
import { isMissing, readJsonIfExists, readTextIfExists } from '../../platform/files.ts';
import type { Node } from '../node.ts';

/** Names that stand in files of secrets and are none. */
const PLAIN = /^(true|false|tls:\/\/.*|\/.*|[a-z_]+(-n\d+)?)$/;

/** Every secret that this node holds, as far as it can be told from its files. */
export async function nodeSecrets({ paths }: Pick<Node, 'paths'>): Promise<string[]> {
  const files = [...(await jsonFiles(join(paths.state, 'credentials'))), ...(await jsonFiles(paths.setup))];
  const values = await Promise.all(files.map((path) => readJsonIfExists(path)));
  const texts = values.flatMap((value) => [...textsIn(value).filter(isSecretText), ...secretsIn(value)]);
  const config = secretsIn(await readJsonIfExists(paths.clusterFile));
  const bus = await readTextIfExists(join(paths.nats, 'nats.conf'));
  const users = [...(bus ?? '').matchAll(/password: "([^"]+)"/g)].map(([, password = '']) => password);
  return [...new Set([...texts, ...config, ...users])];
}

/** Files of secrets hold addresses, paths and accounts too, which a report must show; mail addresses are no secrets. */
function isSecretText(text: string): boolean {
  return text.length >= 16 && !PLAIN.test(text) && !/^[^\s@]+@[^\s@:]+$/.test(text) && !/^-----BEGIN CERT/.test(text);
}

async function jsonFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.json')).map((name) => join(folder, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
