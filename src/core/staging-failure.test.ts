import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainFailure, explainTimeout, type FailedBuild } from './staging-failure.ts';

const failed = (over: Partial<FailedBuild> = {}): FailedBuild => ({
  exitCode: 223,
  outOfMemory: false,
  memoryMb: 1024,
  diskMb: 4096,
  diskBytes: 1000,
  buildpack: 'nodejs_buildpack',
  lookedFor: [],
  tail: [],
  ...over,
});

test('an app that no buildpack knows is told what each one looked for', () => {
  const lookedFor = [{ name: 'nodejs_buildpack', said: 'no package.json' }];
  const { type, message } = explainFailure(failed({ exitCode: 222, lookedFor }));
  assert.equal(type, 'NoAppDetectedError');
  assert.match(message, /nodejs_buildpack: no package\.json/);
});

test('memory, disk and registry are named as the cause', () => {
  const cases: [Partial<FailedBuild>, RegExp][] = [
    [{ outOfMemory: true, exitCode: 137 }, /ran out of its 1024 MB of memory/],
    [{ tail: ['tar: x: Cannot write: Disk quota exceeded'] }, /ran out of its 4096 MB of disk/],
    [{ tail: ['tar: x: Cannot write: No space left on device'] }, /disk of the node that staged it is full/],
    [{ diskBytes: 4095 * 1_048_576 }, /ran out of its 4096 MB of disk/],
    [
      { tail: ['npm error code ECONNREFUSED', 'npm error request to https://npm.internal/express failed'] },
      /the npm registry \(npm\.internal\) could not be reached; .*staging\.npmRegistry/,
    ],
    [
      { tail: ["HTTPSConnectionPool(host='pypi.internal', port=443): Max retries exceeded with url: /simple"] },
      /the Python package index \(pypi\.internal\) .*staging\.pipIndex/,
    ],
    [
      { tail: ['go: a@v1: Get "https://go.internal/a": dial tcp: i/o timeout'] },
      /Go module proxy \(go\.internal\).*goProxy/,
    ],
    [
      {
        tail: [
          'see https://getcomposer.org/install',
          'The "http://php.internal:81/packages.json" file could not be downloaded  ',
          '     (HTTP/1.0 503 Service Unavailable)',
        ],
      },
      /the Composer repository \(php\.internal:81\) answered with status 503; .*staging\.composerRepository/,
    ],
    [
      { tail: ['npm error code E500', 'npm error 500 Internal Server Error - GET http://npm.internal/a'] },
      /the npm registry \(npm\.internal\) answered with status 500/,
    ],
    [
      { tail: ['main.go:4:2: a.b/c@v1.6.0: Get "https://go.internal/c.zip": x509: cannot validate certificate'] },
      /Go module proxy \(go\.internal\).*certificate is not trusted/,
    ],
    [{ tail: ['npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY'] }, /certificate is not trusted.*staging\.caFile/],
  ];
  for (const [over, expected] of cases) assert.match(explainFailure(failed(over)).message, expected);
});

test('what a buildpack complained of last is the cause', () => {
  const tail = [
    ' !     Python 3.9 is wanted',
    'Collecting a',
    ' !     The index is silent.',
    ' !     Set it.',
    'bin/x ended',
  ];
  const { message } = explainFailure(failed({ tail }));
  assert.match(message, /could not build the app: The index is silent\. Set it\.\n/);
  assert.doesNotMatch(message, /The index is silent[\s\S]*The index is silent/);
});

test('a failure without a known cause keeps the last lines', () => {
  const { type, message } = explainFailure(failed({ tail: ['', 'SyntaxError: Unexpected token'] }));
  assert.equal(type, 'BuildpackCompileFailed');
  assert.match(message, /^nodejs_buildpack could not build the app\n.*\n {2}SyntaxError/);
});

test('each phase has its error type', () => {
  const types = [222, 223, 224, 225, 226, 227, 1].map((exitCode) => explainFailure(failed({ exitCode })).type);
  assert.deepEqual(types, [
    'NoAppDetectedError',
    'BuildpackCompileFailed',
    'BuildpackReleaseFailed',
    'StagingError',
    'StagingError',
    'StagingError',
    'StagingError',
  ]);
});

test('a task that ran out of time says its limit and what it was doing', () => {
  const { type, message } = explainTimeout(900, ['-----> Installing', '']);
  assert.equal(type, 'StagingTimeExpired');
  assert.match(message, /limit of 900 s\nThe last lines were:\n {2}-----> Installing/);
});
