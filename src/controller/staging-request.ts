import { systemHosts } from '../contract/hosts.ts';
import { resolveStack, stackAliases } from '../contract/stacks.ts';
import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import { environmentOf, vcapApplication, vcapServices } from '../core/app-env.ts';
import type { Controller } from './api/controller.ts';
import { openEnvironment } from './app-environment.ts';
import { FDS, tagsOf } from './apply-change-launch.ts';
import { internalUrl } from './internal-url.ts';
import { getApp, getAppPlace } from './store/app.ts';
import { findSealedGroup, listEgressRules } from './store/app-launch.ts';
import { type BuildRow, listUsableBuildpacks } from './store/build.ts';
import { getProcessOfType, listAddresses } from './store/process.ts';

type StagingStart = PayloadOf<typeof subjects.stagingStart>;

/** Beyond the build's own limit: uploads and repeated completion calls. */
const URL_MARGIN_S = 3600;

/** The request that makes a stager work on a build. */
export async function stagingRequest(controller: Controller, build: BuildRow): Promise<StagingStart> {
  const { db, box, config } = controller;
  const app = await getApp(db, build.app_guid);
  const place = await getAppPlace(db, app.space_guid);
  const process = await getProcessOfType(db, app.guid, 'web');
  const uris = (await listAddresses(db, app.guid)).filter(({ type }) => type === 'web').map(({ uri }) => uri);
  const services = vcapServices([]);
  const limits = { memoryMb: process.memory_in_mb, diskMb: process.disk_in_mb, fds: FDS };
  const apiUrl = `https://${systemHosts(config.cluster.domain).api}`;
  const url = (method: 'GET' | 'PUT' | 'POST', path: string) =>
    internalUrl(controller, { method, path: `/internal/v1/${path}`, validS: build.timeout_s + URL_MARGIN_S });
  const cache = `buildpack_cache/${app.guid}/${resolveStack(build.stack)}`;
  return {
    app_id: app.guid,
    task_id: build.guid,
    properties: {
      services: [],
      environment: environmentOf({
        group: openEnvironment(box, await findSealedGroup(db, 'staging')),
        app: openEnvironment(box, app.env_sealed),
        services,
        memoryMb: build.memory_in_mb,
      }),
      buildpacks: build.buildpacks,
      vcap_services: services,
      vcap_application: vcapApplication({ apiUrl, app, process, ...place, uris, limits }),
      tags: tagsOf(app, place),
    },
    download_uri: url('GET', `packages/${build.package_guid}/bits`),
    upload_uri: url('PUT', `droplets/${build.droplet_guid}/bits`),
    buildpack_cache_download_uri: url('GET', cache),
    buildpack_cache_upload_uri: url('PUT', cache),
    completion_uri: url('POST', `builds/${build.guid}/completed`),
    admin_buildpacks: await adminBuildpacks(controller, build.stack, url),
    egress_network_rules: await listEgressRules(db, app.space_guid, 'staging'),
    stack: resolveStack(build.stack),
    memory_limit: build.memory_in_mb,
    disk_limit: build.disk_in_mb,
    timeout_s: build.timeout_s,
  };
}

async function adminBuildpacks(
  { db }: Controller,
  stack: string,
  url: (method: 'GET', path: string) => string,
): Promise<StagingStart['admin_buildpacks']> {
  const resolved = resolveStack(stack);
  const aliases = Object.keys(stackAliases).filter((alias) => stackAliases[alias] === resolved);
  const rows = await listUsableBuildpacks(db, [resolved, ...aliases]);
  return rows.map(({ guid, name, is_built_in, sha256 }) => ({
    key: guid,
    name,
    url: is_built_in ? null : url('GET', `buildpacks/${guid}/bits`),
    sha256,
  }));
}
