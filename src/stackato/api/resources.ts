import type { Static } from 'typebox';
import Type from 'typebox';

const Text = Type.String();
const MaybeText = Type.Optional(Type.Union([Text, Type.Null()]));
const MaybeNumber = Type.Optional(Type.Union([Type.Number(), Type.Null()]));
const One = Type.Object({ data: Type.Optional(Type.Union([Type.Object({ guid: Text }), Type.Null()])) });

/** What the client reads of the API's resources; everything else is passed over. */
export const RootDocument = Type.Object({
  links: Type.Object({
    cloud_controller_v3: Type.Object({
      href: Text,
      meta: Type.Optional(Type.Object({ version: Type.Optional(Text) })),
    }),
    login: Type.Object({ href: Text }),
    uaa: Type.Object({ href: Text }),
    log_cache: Type.Optional(Type.Object({ href: Text })),
  }),
});

export const Page = Type.Object({
  pagination: Type.Optional(
    Type.Object({ next: Type.Optional(Type.Union([Type.Object({ href: Text }), Type.Null()])) }),
  ),
  resources: Type.Array(Type.Unknown()),
});

export const ErrorBody = Type.Object({
  errors: Type.Array(
    Type.Object({
      code: Type.Integer({ default: 0 }),
      title: Type.String({ default: '' }),
      detail: Type.String({ default: '' }),
    }),
  ),
});

export const Job = Type.Object({
  guid: Text,
  state: Text,
  errors: Type.Array(Type.Object({ detail: Type.Optional(Text), title: Type.Optional(Text) }), { default: [] }),
  warnings: Type.Array(Type.Object({ detail: Type.Optional(Text) }), { default: [] }),
});

export const Organization = Type.Object({ guid: Text, name: Text });
export const Space = Type.Object({
  guid: Text,
  name: Text,
  relationships: Type.Object({ organization: One }),
});

export const App = Type.Object({
  guid: Text,
  name: Text,
  state: Text,
  created_at: MaybeText,
  updated_at: MaybeText,
  lifecycle: Type.Object({
    type: Text,
    data: Type.Object({ buildpacks: Type.Optional(Type.Union([Type.Array(Text), Type.Null()])), stack: MaybeText }),
  }),
  relationships: Type.Optional(Type.Object({ current_droplet: Type.Optional(One) })),
});
export type App = Static<typeof App>;

export const ProcessInstance = Type.Object({ index: Type.Integer(), state: Text, since: MaybeNumber });
export const Process = Type.Object({
  guid: Text,
  type: Text,
  command: MaybeText,
  instances: Type.Integer(),
  memory_in_mb: Type.Integer(),
  disk_in_mb: Type.Integer(),
  health_check: Type.Optional(
    Type.Object({
      type: Text,
      data: Type.Optional(Type.Union([Type.Object({ timeout: MaybeNumber, endpoint: MaybeText }), Type.Null()])),
    }),
  ),
  relationships: Type.Optional(Type.Object({ app: Type.Optional(One) })),
  process_instances: Type.Optional(Type.Array(ProcessInstance)),
});
export type Process = Static<typeof Process>;

export const Stat = Type.Object({
  type: Text,
  index: Type.Integer(),
  state: Text,
  uptime: MaybeNumber,
  mem_quota: MaybeNumber,
  disk_quota: MaybeNumber,
  details: MaybeText,
  usage: Type.Optional(
    Type.Union([Type.Object({ cpu: MaybeNumber, mem: MaybeNumber, disk: MaybeNumber }), Type.Null()]),
  ),
});
export type Stat = Static<typeof Stat>;

export const Package = Type.Object({
  guid: Text,
  state: Text,
  created_at: MaybeText,
  data: Type.Optional(Type.Union([Type.Object({ error: MaybeText }), Type.Null()])),
});
export const Build = Type.Object({
  guid: Text,
  state: Text,
  error: MaybeText,
  created_at: MaybeText,
  droplet: Type.Optional(Type.Union([Type.Object({ guid: Text }), Type.Null()])),
  created_by: Type.Optional(Type.Union([Type.Object({ name: MaybeText }), Type.Null()])),
});
export type Build = Static<typeof Build>;
export const Droplet = Type.Object({
  guid: Text,
  state: Text,
  created_at: MaybeText,
  stack: MaybeText,
  buildpacks: Type.Optional(
    Type.Union([
      Type.Array(
        Type.Object({ name: MaybeText, buildpack_name: MaybeText, detect_output: MaybeText, version: MaybeText }),
      ),
      Type.Null(),
    ]),
  ),
});

export const Route = Type.Object({
  guid: Text,
  host: Type.Optional(Type.Union([Text, Type.Null()])),
  path: Type.Optional(Type.Union([Text, Type.Null()])),
  protocol: Type.String({ default: 'http' }),
  url: Text,
  destinations: Type.Array(Type.Object({ guid: Text, app: Type.Object({ guid: Text }) }), { default: [] }),
});
export type Route = Static<typeof Route>;
export const Domain = Type.Object({ guid: Text, name: Text, internal: Type.Boolean({ default: false }) });
export const Buildpack = Type.Object({ name: Text, enabled: Type.Boolean({ default: true }) });
export const AuditEvent = Type.Object({
  guid: Text,
  type: Text,
  created_at: Text,
  actor: Type.Object({ name: MaybeText }),
  data: Type.Optional(Type.Unknown()),
});
export const ResourceList = Type.Object({
  resources: Type.Array(
    Type.Object({
      checksum: Type.Object({ value: Text }),
      size_in_bytes: Type.Integer(),
      path: MaybeText,
      mode: MaybeText,
    }),
  ),
});
export const Token = Type.Object({ access_token: Text, refresh_token: MaybeText });
export const Variables = Type.Object({ var: Type.Record(Text, Type.Unknown()) });
export const Environment = Type.Object({
  environment_variables: Type.Optional(Type.Record(Text, Type.Unknown())),
  system_env_json: Type.Optional(Type.Unknown()),
  application_env_json: Type.Optional(Type.Unknown()),
  staging_env_json: Type.Optional(Type.Unknown()),
  running_env_json: Type.Optional(Type.Unknown()),
});
export const LoginInfo = Type.Object({
  prompts: Type.Record(Text, Type.Array(Text), { default: {} }),
});
