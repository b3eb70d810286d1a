import { RpcDenied } from '../supervisor/xml-rpc.ts';

/** Something kato will not or can not do: what and why in the message, and what to do next. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly next: string | undefined;
  constructor(message: string, next?: string, options?: ErrorOptions) {
    super(message, options);
    this.next = next;
  }
}

/** An error as kato prints it. */
export function formatRefusal(error: unknown): string {
  if (error instanceof Refusal) return `${error.message}${error.next === undefined ? '' : `\n  → ${error.next}`}`;
  if (error instanceof RpcDenied) {
    return `${error.message}\n  → \`ss -ltnp sport = :${error.port}\` shows its pid; end it, then run the command again`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
