import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFence } from '../../container/fence/fence.ts';
import { buildStack, defaultRecipePath, stackArchive } from '../../container/stack/build-stack.ts';
import { readRecipe } from '../../container/stack/recipe.ts';
import { systemClock } from '../../platform/clock.ts';
import { exists, readTextIfExists } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import type { Node } from '../node.ts';
import { leaveMark } from './marks.ts';
import type { Step } from './step.ts';

const MARK = 'stack.done';

/** The store of the containers, and the root file system that apps see. */
export const makeStack: Step = {
  title: 'Stack',
  run: async (context) => {
    const node = await context.node();
    const wanted = await fingerprint();
    if ((await readTextIfExists(join(node.paths.setup, MARK))) === wanted) return 'already';
    const say = (text: string) => context.terminal.say(`        ${text}`);
    const recipe = await readRecipe(defaultRecipePath);
    const { tar } = await buildStack({ recipe, clock: systemClock, signal: context.signal, onStep: say });
    say(`import ${recipe.name}`);
    await using engine = await openEngine(node);
    await engine.importStack(recipe.name, { tar });
    await leaveMark(node.paths, MARK, wanted);
    return 'done';
  },
};

/** Where the archive of the stack must be that this version would have to build on this node; undefined when it is here. */
export async function findMissingStack({ paths }: Node): Promise<string | undefined> {
  if ((await readTextIfExists(join(paths.setup, MARK))) === (await fingerprint())) return undefined;
  const tar = stackArchive(await readRecipe(defaultRecipePath));
  return (await exists(tar)) ? undefined : tar;
}

function openEngine({ paths, config }: Node) {
  return openFence({
    directory: paths.fence,
    pool: 'dea',
    network: config.fence.network,
    hostPorts: { first: config.dea.hostPortFirst, last: config.dea.hostPortLast },
    deniedDestinations: config.fence.deniedDestinations,
    runtime: config.fence.runtime,
    storeMb: config.fence.storeMb,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
}

/** The stack is made again when its recipe or the Node in it changes. */
async function fingerprint(): Promise<string> {
  const recipe = await readFile(defaultRecipePath, 'utf8');
  return createHash('sha256').update(recipe).update(process.version).digest('hex');
}
