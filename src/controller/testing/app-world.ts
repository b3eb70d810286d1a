import { memoryBlobStore } from '../../blobstore/memory.ts';
import type { Bus } from '../../bus/bus.ts';
import { MemoryBroker, MemoryBus } from '../../bus/memory.ts';
import type { ClusterConfig } from '../../contract/config.ts';
import type { PayloadOf } from '../../contract/subject.ts';
import { subjects } from '../../contract/subjects.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import type { Controller } from '../api/controller.ts';
import { type TestAnswer, type TestApi, testApi } from '../api/test-controller.ts';
import { appJobs } from '../app-deletion.ts';
import { appEvents, appParts, appSideRoutes, createAppServices } from '../app-runtime.ts';
import type { AppServices } from '../app-services.ts';
import { controllerJobs } from '../jobs.ts';
import { organizationSideRoutes } from '../routes.ts';
import { appScopes } from '../store/app-scope.ts';
import { zipOf } from './zip.ts';

type Start = PayloadOf<typeof subjects.deaStart>;
type Stop = PayloadOf<typeof subjects.deaStop>;
type StagingStart = PayloadOf<typeof subjects.stagingStart>;

/** The API of apps with a bus on which a test plays DEAs and stagers. */
export type AppWorld = AsyncDisposable & {
  readonly api: TestApi;
  readonly controller: Controller;
  readonly services: AppServices;
  /** The far side of the bus. */
  readonly bus: Bus;
  readonly space: string;
  readonly call: TestApi['call'];
  /** A DEA of this id that notes its starts; it says only what the test has it say. */
  readonly dea: (id: string, memoryMb?: number) => { readonly starts: Start[]; readonly advertise: () => void };
  readonly stops: Stop[];
  readonly updates: PayloadOf<typeof subjects.deaUpdate>[];
  /** A stager that accepts builds and has `stage` do the rest. */
  readonly stager: (id: string, stage: (request: StagingStart) => unknown) => void;
  /** Every line of source API, oldest first. */
  readonly lines: string[];
  readonly createApp: (name: string) => Promise<string>;
  /** A READY package of these files. */
  readonly upload: (app: string, files: Readonly<Record<string, string>>) => Promise<string>;
  readonly sendMultipart: (path: string, parts: Readonly<Record<string, string | Buffer>>) => Promise<TestAnswer>;
  /** Plays a stager's successful end of a build. */
  readonly finish: (request: StagingStart, droplet?: string) => Promise<TestAnswer>;
  /** Says the heartbeat of a DEA, with these instances. */
  readonly beat: (dea: string, starts: readonly Start[], state?: string) => Promise<void>;
  /** Lets everything that is on its way arrive. */
  readonly settle: () => Promise<void>;
  /** Waits until the controller is through with what it heard on the bus, and what it said has arrived. */
  readonly handled: () => Promise<void>;
};

export async function appWorld(options: { patienceMs?: number; config?: ClusterConfig } = {}): Promise<AppWorld> {
  const broker = new MemoryBroker();
  const bus = new MemoryBus(broker);
  const scratch = await temporaryDirectory('uploads');
  const near = new MemoryBus(broker, silentLog);
  const blobs = memoryBlobStore();
  const holder: { services?: AppServices; controller?: Controller } = {};
  const services = () => holder.services as AppServices;
  const api = await testApi({
    routes: (made) => {
      holder.controller = made;
      holder.services = createAppServices(made, scratch.path, { patienceMs: options.patienceMs ?? 0 });
      return [...organizationSideRoutes, ...appSideRoutes(holder.services)];
    },
    scopes: appScopes,
    jobs: { ...controllerJobs, ...appJobs(services) },
    controller: {
      ...(options.config && { config: options.config }),
      bus: near,
      blobs,
      events: appEvents(() => holder.controller as Controller, services),
    },
  });
  const { controller } = api;
  const parts = await Promise.all(appParts(controller, services()).map((one) => one.start()));
  const stops: Stop[] = [];
  const updates: PayloadOf<typeof subjects.deaUpdate>[] = [];
  const lines: string[] = [];
  bus.subscribe(subjects.deaStop, [], (stop) => void stops.push(stop));
  bus.subscribe(subjects.deaUpdate, [], (update) => void updates.push(update));
  bus.subscribe(subjects.appLog, ['*'], (log) => void lines.push(...log.lines.map(({ text }) => text)));
  const settle = async () => {
    for (let i = 0; i < 10; i++) await bus.flush();
    await services().staging.idle();
    await services().resources.idle();
    for (let i = 0; i < 10; i++) await bus.flush();
  };
  const handled = async () => {
    await near.handled();
    await bus.flush();
  };
  const org = await api.call('POST', '/v3/organizations', { body: { name: 'acme' } });
  const space = await api.call('POST', '/v3/spaces', {
    body: { name: 'dev', relationships: { organization: { data: { guid: org.body.guid } } } },
  });
  const send = sender(api);
  return {
    ...{ api, controller, bus, stops, updates, lines, settle, handled },
    services: services(),
    space: space.body.guid,
    call: api.call,
    sendMultipart: send,
    dea: (id, memoryMb = 8192) => {
      const starts: Start[] = [];
      bus.subscribe(subjects.deaStart, [id], (start) => void starts.push(start));
      const advertise = () => bus.publish(subjects.deaAdvertise, [], advertisement(id, memoryMb));
      advertise();
      return { starts, advertise };
    },
    stager: (id, stage) => {
      bus.subscribe(subjects.stagingStart, [id], (request, message) => {
        message.respond({ task_id: request.task_id, task_streaming_log_url: null, error: null });
        stage(request);
      });
      bus.publish(subjects.stagingAdvertise, [], { id, stacks: ['stackato'], available_memory: 8192, tasks: [] });
    },
    createApp: async (name) => {
      const body = { name, relationships: { space: { data: { guid: space.body.guid } } } };
      return (await api.call('POST', '/v3/apps', { body })).body.guid;
    },
    upload: async (app, files) => {
      const body = { type: 'bits', relationships: { app: { data: { guid: app } } } };
      const created = await api.call('POST', '/v3/packages', { body });
      await send(`/v3/packages/${created.body.guid}/upload`, { resources: '[]', bits: await zipOf(files) });
      return created.body.guid;
    },
    finish: async (request, droplet = 'a droplet') => {
      const at = (url: string) => url.slice(url.indexOf('/internal'));
      const put = await api.call('PUT', at(request.upload_uri), {
        as: '',
        body: droplet,
        headers: { 'content-type': 'application/gzip' },
      });
      if (put.status !== 200) throw new Error(`the droplet was refused: ${JSON.stringify(put.body)}`);
      const result = {
        task_id: request.task_id,
        app_id: request.app_id,
        detected_buildpack: 'Node.js',
        buildpack_key: null,
        droplet_sha1: null,
        detected_start_command: 'npm start',
        procfile: { web: 'node server.js', worker: 'node work.js' },
        error: null,
        error_info: null,
        buildpacks: [{ name: 'nodejs_buildpack', buildpack_name: 'nodejs', detect_output: 'Node.js 24', version: '1' }],
      };
      return api.call('POST', at(request.completion_uri), { as: '', body: result });
    },
    beat: async (dea, starts, state = 'RUNNING') => {
      bus.publish(subjects.deaHeartbeat, [], {
        dea,
        droplets: starts.map(({ droplet, version, index }) => ({
          ...{ droplet, version, index, state, cc_partition: 'default' },
          instance: `${dea}-${droplet}-${version}-${index}`,
          state_timestamp: Date.now() / 1000,
        })),
      });
      await settle();
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of parts.reverse()) await one[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
      await bus.close();
      await near.close();
      await scratch[Symbol.asyncDispose]();
    },
  };
}

function advertisement(id: string, memoryMb: number): PayloadOf<typeof subjects.deaAdvertise> {
  return {
    id,
    available_memory: memoryMb,
    available_disk: 65_536,
    stacks: ['stackato'],
    app_id_to_count: {},
    placement_properties: { zone: 'default' },
  };
}

function sender(api: TestApi): AppWorld['sendMultipart'] {
  return (path, parts) => {
    const boundary = 'part-boundary-7f3a';
    const chunks = Object.entries(parts).flatMap(([name, value]) => {
      const isFile = typeof value !== 'string';
      const file = isFile ? '; filename="package.zip"\r\nContent-Type: application/zip' : '';
      return [
        Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`),
        Buffer.from(value),
        Buffer.from('\r\n'),
      ];
    });
    const body = Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]);
    return api.call('POST', path, { body, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } });
  };
}
