import { decode } from '../contract/decode.ts';
import { Topology } from '../contract/topology.ts';
import { readJsonIfExists } from '../platform/files.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import type { Paths } from '../platform/paths.ts';
import { getUser } from '../platform/system-user.ts';

/** The cluster's nodes as this node last knew them; undefined on a micro cloud. */
export async function findTopology(paths: Paths): Promise<Topology | undefined> {
  const value = await readJsonIfExists(paths.topologyFile);
  return value === undefined ? undefined : decode(Topology, value, paths.topologyFile);
}

/** Keeps this node's copy of the cluster's nodes. Gives true when it changed. */
export async function writeTopology(paths: Paths, topology: Topology): Promise<boolean> {
  const { gid } = await getUser('stackato');
  const text = `${JSON.stringify(topology, null, 2)}\n`;
  return writeOwnedFile(paths.topologyFile, text, { owner: { uid: 0, gid }, mode: 0o640 });
}
