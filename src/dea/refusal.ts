import type { Bus } from '../bus/bus.ts';
import { ContainerError, type ContainerErrorKind } from '../container/container.ts';
import { subjects } from '../contract/subjects.ts';
import type { StartMessage } from './instance.ts';

const NODE_FAULTS: ReadonlySet<ContainerErrorKind> = new Set([
  'no-such-stack',
  'disk-full',
  'no-free-port',
  'no-free-address',
]);

/** Failed a start for want of something that another node may have? A droplet larger than its own disk does so nowhere. */
export function isNodeFault(error: unknown): error is ContainerError {
  if (!(error instanceof ContainerError) || !NODE_FAULTS.has(error.kind)) return false;
  return !/\bquota\b|EDQUOT/i.test(error.message);
}

/** Gives a start back: another DEA is to take it, and nobody counts it as a crash. */
export function sayRefused(
  { bus, node }: { readonly bus: Bus; readonly node: { readonly id: string } },
  message: StartMessage,
  refusal: { readonly because: string; readonly instance?: string },
): void {
  const { droplet, version, index, x } = message;
  bus.publish(subjects.deaRefused, [], {
    ...{ dea: node.id, droplet, version, index },
    refused_by: x?.refused_by ?? [],
    ...refusal,
  });
}
