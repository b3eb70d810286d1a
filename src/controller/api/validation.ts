import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { PlatformError } from '../../contract/errors.ts';

/** A check of request bodies, compiled when it is first needed. */
export function bodyValidator(schema: TSchema): (body: unknown) => void {
  let compiled: ReturnType<typeof Compile> | undefined;
  return (body) => {
    compiled ??= Compile(schema);
    if (compiled.Check(body)) return;
    throw new PlatformError('UnprocessableEntity', describe(compiled.Errors(body)));
  };
}

type Fault = {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: unknown;
};

/** `Relationships space data must be object, Name is required`: one phrase for each place. */
function describe(faults: Iterable<Fault>): string {
  const phrases: string[] = [];
  const seen = new Set<string>();
  for (const fault of [...faults].sort((a, b) => b.instancePath.length - a.instancePath.length)) {
    if ([...seen].some((path) => path === fault.instancePath || path.startsWith(`${fault.instancePath}/`))) continue;
    seen.add(fault.instancePath);
    phrases.push(phraseOf(fault));
  }
  return phrases.reverse().slice(0, 5).join(', ') || 'The request is invalid';
}

function phraseOf(fault: Fault): string {
  const place = fault.instancePath.split('/').filter(Boolean).join(' ').replaceAll('_', ' ');
  const params = fault.params as { requiredProperties?: string[]; allowedValues?: unknown[] };
  if (fault.keyword === 'required') {
    return (params.requiredProperties ?? []).map((name) => `${titled(`${place} ${name}`)} is required`).join(', ');
  }
  // Of an object that allows no other keys, each other key is a place where the schema is `false`.
  if (fault.keyword === 'boolean') return `Unknown field(s): '${place}'`;
  const message = params.allowedValues
    ? `must be one of ${params.allowedValues.map((value) => `'${value}'`).join(', ')}`
    : fault.message;
  return place ? `${titled(place)} ${message}` : `The request body ${message}`;
}

function titled(text: string): string {
  const trimmed = text.trim().replaceAll('_', ' ');
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
}
