import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adviceOn } from './staging.ts';

test('what to try after a failed staging fits its cause', () => {
  const compile = (cause: string) => `BuildpackCompileFailed - nodejs_buildpack could not build the app: ${cause}`;
  const cases: readonly (readonly [string, RegExp])[] = [
    ['NoAppDetectedError', /stackato push shop --buildpack/],
    [compile('staging ran out of its 1024 MB of memory; give the app more memory'), /stackato push shop --mem/],
    [compile('staging ran out of its 4096 MB of disk; leave files out of the push'), /\.cfignore.*staging\.diskMb/],
    [
      compile("The npm registry http://r can't be reached. An operator can set another one in staging.npmRegistry"),
      /administrator about that registry/,
    ],
    [compile('the disk of the node that staged it is full'), /no disk space left/],
    [compile('exit status 1'), /lines above/],
    ['StagingTimeExpired - Staging took longer than the limit of 900 s', /download hang/],
    ['something else', /log above names/],
  ];
  for (const [error, advice] of cases) assert.match(adviceOn(error, 'shop'), advice, error);
});
