import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type from 'typebox';
import { bodyValidator } from './validation.ts';

test('a refused body says where, and what would be allowed', () => {
  const check = bodyValidator(
    Type.Object(
      {
        name: Type.String(),
        options: Type.Optional(Type.Object({ loadbalancing: Type.Enum(['hash', 'round-robin']) })),
      },
      { additionalProperties: false },
    ),
  );
  const cases: [unknown, RegExp][] = [
    [{}, /^Name is required$/],
    [[], /^The request body must be object$/],
    [{ name: 'a', options: { loadbalancing: 'x' } }, /^Options loadbalancing must be one of 'hash', 'round-robin'$/],
    [{ name: 'a', more: 1 }, /^Unknown field\(s\): 'more'$/],
  ];
  for (const [body, message] of cases) assert.throws(() => check(body), { kind: 'UnprocessableEntity', message });
});
