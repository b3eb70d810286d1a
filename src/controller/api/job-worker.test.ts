import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlatformError } from '../../contract/errors.ts';
import { jobRoutes } from '../handlers/job.ts';
import { claimJob, startJob } from '../store/job.ts';
import { JobErrors, JobWorker } from './job-worker.ts';
import { testApi } from './test-controller.ts';

const routes = jobRoutes;

test('a job completes with warnings, and can be read afterwards', async () => {
  const jobs = { 'app.delete': async () => ({ warnings: ['mind the gap'] }) };
  await using api = await testApi({ routes, jobs });
  await startJob(api.controller.db, {
    guid: 'j1',
    operation: 'app.delete',
    resource: { type: 'apps', guid: 'a1' },
  });
  const before = await api.call('GET', '/v3/jobs/j1');
  assert.equal(before.body.state, 'PROCESSING');
  await api.jobs.idle();
  const { body } = await api.call('GET', '/v3/jobs/j1');
  assert.equal(body.state, 'COMPLETE');
  assert.deepEqual(body.warnings, [{ detail: 'mind the gap' }]);
  assert.equal(body.links.app.href, 'http://api.stackato.localhost/v3/apps/a1');
  assert.equal((await api.call('GET', '/v3/jobs/none')).body.errors[0].detail, 'Job not found');
});

test('a failed job says why, and a bug in one never leaves its errors empty', async () => {
  const jobs = {
    explained: async () => {
      throw new JobErrors([new PlatformError('UnprocessableEntity', 'one'), new PlatformError('BadRequest', 'two')]);
    },
    bug: async () => {
      throw new TypeError('undefined is not a function');
    },
  };
  await using api = await testApi({ routes, jobs });
  for (const operation of ['explained', 'bug', 'unheard-of']) {
    await startJob(api.controller.db, { guid: operation, operation });
  }
  await api.jobs.idle();
  const explained = (await api.call('GET', '/v3/jobs/explained')).body;
  assert.equal(explained.state, 'FAILED');
  assert.deepEqual(
    explained.errors.map((error: { detail: string }) => error.detail),
    ['one', 'Bad request: two'],
  );
  for (const guid of ['bug', 'unheard-of']) {
    assert.equal((await api.call('GET', `/v3/jobs/${guid}`)).body.errors[0].code, 10001);
  }
});

test('a job of a controller that was killed is taken over once its lease ran out, and no sooner', async () => {
  let runs = 0;
  const jobs = {
    work: async () => {
      runs += 1;
      return undefined;
    },
  };
  await using api = await testApi({ routes, jobs });
  const { db } = api.controller;
  await startJob(db, { guid: 'j', operation: 'work' });
  assert.equal((await claimJob(db, 60))?.guid, 'j', 'another controller claims it and is killed');
  await api.jobs.idle();
  assert.equal(runs, 0);
  await db
    .updateTable('jobs')
    .set({ lease_until: new Date(0) })
    .execute();
  await api.jobs.idle();
  assert.equal(runs, 1);
  assert.equal((await api.call('GET', '/v3/jobs/j')).body.state, 'COMPLETE');
});

test('a controller that was away for too long does not end a job that another has taken over', async () => {
  const entered = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const leave = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let runs = 0;
  const jobs = {
    work: async () => {
      const run = runs++;
      entered[run]?.resolve();
      await leave[run]?.promise;
      return { warnings: [`run ${run}`] };
    },
  };
  await using api = await testApi({ routes, jobs });
  const { db } = api.controller;
  await startJob(db, { guid: 'j', operation: 'work' });
  api.jobs.wake();
  await entered[0]?.promise;
  // Its look for more work is over, so that only the other one can take this.
  while (api.jobs.running > 1) await new Promise((done) => setImmediate(done));
  await db
    .updateTable('jobs')
    .set({ lease_until: new Date(0) })
    .execute();
  const other = new JobWorker(api.controller, jobs);
  other.wake();
  await entered[1]?.promise;
  leave[0]?.resolve();
  await api.jobs.idle();
  assert.equal((await api.call('GET', '/v3/jobs/j')).body.state, 'PROCESSING', 'the first one comes too late');
  leave[1]?.resolve();
  await other[Symbol.asyncDispose]();
  const { body } = await api.call('GET', '/v3/jobs/j');
  assert.deepEqual([body.state, body.warnings], ['COMPLETE', [{ detail: 'run 1' }]]);
  assert.equal(runs, 2);
});

test('a job that must wait is shown as polling and runs again when it is due', async () => {
  const outcomes = [{ pollAgainInS: 3600 }, undefined];
  await using api = await testApi({ routes, jobs: { wait: async () => outcomes.shift() } });
  const { db } = api.controller;
  await startJob(db, { guid: 'j', operation: 'wait' });
  await api.jobs.idle();
  assert.equal((await api.call('GET', '/v3/jobs/j')).body.state, 'POLLING');
  await api.jobs.idle();
  assert.equal(outcomes.length, 1, 'not before it is due');
  await db
    .updateTable('jobs')
    .set({ run_at: new Date(0) })
    .execute();
  await api.jobs.idle();
  assert.equal((await api.call('GET', '/v3/jobs/j')).body.state, 'COMPLETE');
});
