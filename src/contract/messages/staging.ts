import Type from 'typebox';
import { DeaStart, EgressRule } from './dea.ts';

/** `staging.advertise`. MB. `tasks` (ours) lists what is being staged, so that a lost task is noticed. */
export const StagingAdvertise = Type.Object({
  id: Type.String(),
  stacks: Type.Array(Type.String(), { default: [] }),
  available_memory: Type.Integer(),
  tasks: Type.Optional(Type.Array(Type.String())),
});

/** A buildpack the stager may use: an uploaded archive, or one of ours that the stager holds already. */
export const AdminBuildpack = Type.Object({
  key: Type.String({ description: 'buildpack guid' }),
  name: Type.String(),
  url: Type.Union([Type.String(), Type.Null()], {
    description: 'zip; null for a buildpack that comes with the platform',
  }),
  sha256: Type.Union([Type.String(), Type.Null()]),
});

/** `staging.{id}.start`: the ng request, answered twice on one inbox. URLs carry their own credentials. */
export const StagingStart = Type.Object({
  app_id: Type.String(),
  task_id: Type.String({ description: 'build guid' }),
  properties: Type.Object({
    services: Type.Array(Type.Unknown(), { default: [] }),
    environment: Type.Array(Type.String(), { default: [], description: 'K=V' }),
    buildpacks: Type.Array(Type.String(), {
      default: [],
      description: 'names or zip/git URLs in order; empty = detect',
    }),
    vcap_services: Type.Record(Type.String(), Type.Unknown(), { default: {} }),
    vcap_application: Type.Record(Type.String(), Type.Unknown(), { default: {} }),
    tags: Type.Record(Type.String(), Type.String(), { default: {} }),
  }),
  download_uri: Type.String({ description: 'GET: the package, zip' }),
  upload_uri: Type.String({ description: 'PUT: the droplet, tar.gz' }),
  buildpack_cache_download_uri: Type.Union([Type.String(), Type.Null()], { default: null }),
  buildpack_cache_upload_uri: Type.Union([Type.String(), Type.Null()], { default: null }),
  /** POST StagingResult; repeated until accepted, so that a controller that was away learns of it. Ours. */
  completion_uri: Type.String(),
  admin_buildpacks: Type.Array(AdminBuildpack, { default: [] }),
  start_message: Type.Optional(DeaStart),
  egress_network_rules: Type.Array(EgressRule, { default: [] }),
  stack: Type.String(),
  memory_limit: Type.Integer({ description: 'MB' }),
  disk_limit: Type.Integer({ description: 'MB' }),
  timeout_s: Type.Integer({ default: 900 }),
});

/** First reply to `staging.{id}.start`: the task was accepted, or why not. */
export const StagingSetup = Type.Object({
  task_id: Type.String(),
  task_streaming_log_url: Type.Union([Type.String(), Type.Null()], { default: null }),
  error: Type.Union([Type.String(), Type.Null()], { default: null }),
});

/** The `error_info.type` of a task that ended because its stager went: it can be given to another one. */
export const stagingInterrupted = 'StagingInterrupted';

/** Second reply, and the body posted to `completion_uri`. */
export const StagingResult = Type.Object({
  task_id: Type.String(),
  app_id: Type.String(),
  detected_buildpack: Type.Union([Type.String(), Type.Null()], { default: null }),
  buildpack_key: Type.Union([Type.String(), Type.Null()], { default: null }),
  droplet_sha1: Type.Union([Type.String(), Type.Null()], { default: null }),
  detected_start_command: Type.Union([Type.String(), Type.Null()], { default: null }),
  procfile: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()], {
    default: null,
    description: 'process type → command, the Procfile merged over what the buildpack released',
  }),
  error: Type.Union([Type.String(), Type.Null()], { default: null }),
  error_info: Type.Union([Type.Object({ type: Type.String(), message: Type.String() }), Type.Null()], {
    default: null,
    description:
      'type: NoAppDetectedError, BuildpackCompileFailed, BuildpackReleaseFailed, StagingTimeExpired, StagingInterrupted, …',
  }),
  /** Ours. */
  droplet_sha256: Type.Optional(Type.String()),
  droplet_bytes: Type.Optional(Type.Integer()),
  buildpacks: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String(),
        buildpack_name: Type.String(),
        detect_output: Type.String(),
        version: Type.Union([Type.String(), Type.Null()]),
      }),
    ),
  ),
});

/** `staging.stop`: cancel; with `task_id` only that task. */
export const StagingStop = Type.Object({ app_id: Type.String(), task_id: Type.Optional(Type.String()) });
