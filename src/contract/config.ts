import type { Static } from 'typebox';
import Type from 'typebox';

const seconds = (value: number, description: string) =>
  Type.Integer({ default: value, minimum: 1, maximum: 31_536_000, description: `${description} (s)` });
const ms = (value: number, description: string, minimum = 1) =>
  Type.Integer({ default: value, minimum, maximum: 86_400_000, description: `${description} (ms)` });
const mb = (value: number, description: string) =>
  Type.Integer({ default: value, minimum: 0, description: `${description} (MB)` });
const port = (value: number, description: string) =>
  Type.Integer({ default: value, minimum: 1, maximum: 65535, description });

/** An address or a network. */
const network = () =>
  Type.String({ pattern: '^[0-9a-fA-F.:]+(/[0-9]{1,3})?$', title: 'an address or a network such as 10.0.0.0/8' });
const tlsVersion = () =>
  Type.String({ default: 'TLSv1.2', pattern: '^(TLSv1\\.2|TLSv1\\.3)$', description: 'Lowest TLS version' });

/**
 * Settings that are secret: kept encrypted in the control database, in no file, and shown by nothing.
 * `kato config set NAME -` reads one from standard input.
 */
export const secretSettings: Readonly<Record<string, string>> = {
  'blobs.s3.accessKeyId': 'Access key of the S3 server',
  'blobs.s3.secretAccessKey': 'Secret access key of the S3 server',
};

/** Secret settings that the Core itself keeps, because what keeps the others depends on them; set on the Core alone. */
export const coreSettings: Readonly<Record<string, string>> = {
  'database.url':
    'PostgreSQL server of your own for the control database: `postgresql://ADMINISTRATOR:PASSWORD@HOST:5432/stackato`. Setting it moves the data there, `kato config del` brings it back',
};

/**
 * The cluster configuration: every time, size and limit with its default. One section per component.
 * Kept in the control database, served by the primary, copied to every node's `cluster.json`.
 * docs/operations/configuration.md is generated from this table.
 */
export const ClusterConfig = Type.Object({
  cluster: Type.Object(
    {
      domain: Type.String({ default: 'stackato.localhost', description: 'Domain of the platform and of its apps' }),
      name: Type.String({ default: 'stackato', description: 'Name shown by `info`' }),
      license: Type.Record(Type.String(), Type.String(), {
        default: {},
        description:
          'What the licence says, such as organization and serial; `kato license set`. Nothing is limited by it',
      }),
    },
    { default: {} },
  ),
  controller: Type.Object(
    {
      port: port(8022, 'API port, behind the routers'),
      defaultMemoryMb: mb(1024, 'Memory of a process when none is asked for'),
      defaultDiskMb: mb(1024, 'Disk of a process when none is asked for'),
      maxDiskMb: mb(10240, 'Largest disk a process may ask for'),
      maxUploadMb: mb(1536, 'Largest package'),
      maxUnpackedMb: mb(4096, 'Largest package once unpacked'),
      maxPackageEntries: Type.Integer({ default: 200_000, description: 'Most files in a package' }),
      resourceCacheMb: mb(
        4096,
        'Files of packages kept so that they need not be uploaded again; oldest use goes first',
      ),
      dropletsKept: Type.Integer({ default: 5, minimum: 1, description: 'Droplets kept per app' }),
      findDropletTimeoutMs: ms(1000, 'Longest wait for DEAs that answer `dea.find.droplet`'),
      advertisementTimeoutS: seconds(10, 'A DEA or stager silent for longer is not used'),
      jobsKeptS: seconds(172_800, 'How long finished jobs can be read'),
      stackDefault: Type.String({ default: 'stackato', description: 'Stack of an app that names none' }),
    },
    { default: {} },
  ),
  aok: Type.Object(
    {
      port: port(8023, 'Login server port, behind the routers'),
      accessTokenS: seconds(1200, 'Life of an access token'),
      refreshTokenS: seconds(2_592_000, 'Life of a refresh token'),
      lockoutFailures: Type.Integer({
        default: 10,
        minimum: 1,
        description: 'Failed logins before an account is locked',
      }),
      lockoutS: seconds(300, 'How long a locked account stays locked'),
      passwordMinLength: Type.Integer({ default: 8, minimum: 1, description: 'Shortest password accepted' }),
    },
    { default: {} },
  ),
  staging: Type.Object(
    {
      memoryMb: mb(1024, 'Least memory of a staging container; more when the app has more'),
      diskMb: mb(4096, 'Disk of a staging container'),
      timeoutS: seconds(900, 'Staging limit'),
      logLinesPerS: Type.Integer({
        default: 2000,
        minimum: 1,
        description: 'Lines a second of a staging before lines are dropped, which is said',
      }),
      logKbPerS: Type.Integer({
        default: 1024,
        minimum: 1,
        description: 'KB of lines a second of a staging before lines are dropped, which is said',
      }),
      environment: Type.Record(Type.String(), Type.String(), {
        default: {},
        description: 'Variables every staging gets: proxies, registry settings',
      }),
      caFile: Type.String({
        default: '',
        description: 'PEM file on the stager with certificates that staging and apps trust besides the public ones',
      }),
      npmRegistry: Type.String({ default: '', description: 'npm registry used in staging; empty = the public one' }),
      pipIndex: Type.String({ default: '', description: 'Python package index used in staging' }),
      gemSource: Type.String({ default: '', description: 'Ruby gem source used in staging' }),
      goProxy: Type.String({ default: '', description: 'Go module proxy used in staging' }),
      mavenMirror: Type.String({ default: '', description: 'Maven repository mirror used in staging' }),
      composerRepository: Type.String({ default: '', description: 'Composer repository used in staging' }),
    },
    { default: {} },
  ),
  stager: Type.Object(
    {
      memoryMb: mb(0, 'Memory this stager may give to staging; 0 = half of the machine'),
      advertiseS: seconds(5, 'Advertisement interval'),
      maxTasks: Type.Integer({ default: 4, minimum: 1, description: 'Stagings at one time' }),
    },
    { default: {} },
  ),
  dea: Type.Object(
    {
      memoryMb: mb(0, 'Memory this DEA offers; 0 = three quarters of the machine'),
      memoryOvercommit: Type.Number({ default: 1, minimum: 0.1, description: 'Factor on the memory offered' }),
      diskMb: mb(0, 'Disk this DEA offers; 0 = what the fence store has'),
      heartbeatMs: ms(2000, 'Heartbeat interval', 100),
      advertiseS: seconds(5, 'Advertisement interval; also sent on each change'),
      registerS: seconds(20, 'Route registration interval, unless the routers ask for another'),
      stopGraceMs: ms(10_000, 'From SIGTERM to SIGKILL'),
      unrouteDrainMs: ms(200, 'From leaving the routers until SIGTERM'),
      crashKeptS: seconds(3600, 'How long a crashed container is kept'),
      crashDiskMb: mb(2048, 'Disk budget of kept crashed containers'),
      pidsLimit: Type.Integer({ default: 512, minimum: 16, description: 'Processes and threads per instance' }),
      preallocated: Type.Integer({ default: 2, minimum: 0, description: 'Containers created ahead' }),
      logLinesPerS: Type.Integer({
        default: 2000,
        description: 'Lines a second per instance before lines are dropped, which is said',
      }),
      logKbPerS: Type.Integer({
        default: 4096,
        minimum: 1,
        description: 'KB of lines a second per instance before lines are dropped, which is said',
      }),
      hostPortFirst: port(40_001, 'First host port for instances'),
      hostPortLast: port(59_999, 'Last host port for instances'),
    },
    { default: {} },
  ),
  fence: Type.Object(
    {
      storeMb: mb(
        0,
        'Largest size of the fence store, which grows as it is needed; 0 = 60 % of the disk, at most 100 GB',
      ),
      network: Type.String({
        default: '10.250.0.0/16',
        pattern: '^[0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}$',
        title: 'a network such as 10.250.0.0/16',
        description: 'Addresses of containers on each node',
      }),
      deniedDestinations: Type.Array(Type.String(), {
        default: ['169.254.0.0/16'],
        description: 'Never reachable from containers, besides the node itself and the container network',
      }),
      runtime: Type.String({ default: 'runc', description: 'OCI runtime' }),
    },
    { default: {} },
  ),
  router: Type.Object(
    {
      httpPort: port(80, 'HTTP'),
      httpsPort: port(443, 'HTTPS'),
      registerS: seconds(20, 'Interval asked of registrants'),
      pruneS: seconds(120, 'An endpoint silent for longer is removed'),
      startDelayMs: ms(
        4000,
        'From `router.start` until traffic is accepted, at most; ends when every DEA has registered',
      ),
      backends: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'Blank backends ready for routes; 0 = grows by itself',
      }),
      endpointCaFile: Type.String({
        default: '',
        pattern: '^[^\\s"\'#\\\\]*$',
        title: 'a path without spaces and quotes, or nothing',
        description:
          'PEM file with the CA of endpoints that register with `tls_port`; empty = that of the cluster, on a micro cloud none',
      }),
      endpointCertificate: Type.String({
        default: '',
        pattern: '^[^\\s"\'#\\\\]*$',
        title: 'a path without spaces and quotes, or nothing',
        description:
          'With `router.endpointCaFile`: PEM file with the certificate and key that the router shows to such endpoints; empty = none',
      }),
      requestTimeoutS: seconds(900, 'Longest wait for an answer from an app'),
      tunnelTimeoutS: seconds(3600, 'Longest silence in a WebSocket'),
      minTlsVersion: tlsVersion(),
      threads: Type.Integer({ default: 2, minimum: 1, description: 'HAProxy threads' }),
      maxConnections: Type.Integer({
        default: 20_000,
        minimum: 100,
        description: 'Connections of clients at one time',
      }),
      drainMs: ms(5000, 'From the end of the router until open requests are cut'),
      trustedProxies: Type.Array(network(), {
        default: [],
        description: 'Addresses (CIDR) of balancers in front, whose X-Forwarded-* headers are believed',
      }),
      stickyCookies: Type.Array(Type.String({ pattern: '^[A-Za-z0-9_.-]+$' }), {
        default: ['JSESSIONID'],
        description: 'Cookies of apps that keep a session on its instance',
      }),
    },
    { default: {} },
  ),
  balancer: Type.Object(
    {
      httpPort: port(80, 'HTTP of the load balancer'),
      httpsPort: port(443, 'HTTPS of the load balancer'),
      checkMs: ms(500, 'Interval at which each router is asked whether it is well', 50),
      checkTimeoutMs: ms(1000, 'Longest wait for that answer; two failures in a row take a router out'),
      connectTimeoutMs: ms(1000, 'Longest wait for a router to take a connection'),
      idleS: seconds(1200, 'Longest silence on a connection, of a client or of a router'),
      minTlsVersion: tlsVersion(),
      workers: Type.Integer({ default: 0, minimum: 0, description: 'nginx workers; 0 = one for each processor' }),
      maxConnections: Type.Integer({
        default: 20_000,
        minimum: 100,
        description: 'Connections of clients at one time, for each worker',
      }),
      drainMs: ms(5000, 'From the end of the load balancer until open requests are cut'),
    },
    { default: {} },
  ),
  mdns: Type.Object(
    {
      name: Type.String({
        default: '',
        pattern: '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$',
        title: 'one word of small letters, digits and -, or nothing',
        description:
          "The micro cloud's name on the local network, NAME.local; empty = the domain's when it is such a name, else the machine's",
      }),
    },
    { default: {} },
  ),
  health: Type.Object(
    {
      analysisMs: ms(1000, 'Interval of the analysis', 50),
      desiredRefreshMs: ms(5000, 'Interval of the refresh of desired state', 100),
      heartbeatLostMs: ms(8000, 'A DEA silent for longer is lost', 500),
      freeCrashes: Type.Integer({ default: 3, minimum: 0, description: 'Crashes restarted at once' }),
      crashDelayFirstMs: ms(30_000, 'Delay of the first restart after those'),
      crashDelayMaxMs: ms(960_000, 'Longest restart delay'),
      crashCountResetS: seconds(300, 'Uptime after which crashes are forgotten'),
      startGraceMs: ms(10_000, 'A requested start is not repeated before'),
      startsPerTick: Type.Integer({ default: 100, minimum: 1, description: 'Starts requested per analysis' }),
    },
    { default: {} },
  ),
  logyard: Type.Object(
    {
      port: port(8024, 'Log cache port, behind the routers'),
      linesKept: Type.Integer({ default: 1000, minimum: 10, description: 'Recent lines kept per app' }),
      lineBytes: Type.Integer({ default: 65_536, minimum: 256, description: 'Longest line' }),
      flushMs: ms(500, 'Interval at which recent lines are written to disk', 10),
      memoryMb: mb(64, 'Memory for recent lines; what was not used lately is read from disk again'),
      idleKeptS: seconds(2_592_000, 'How long the recent lines of an app that is silent are kept'),
      drains: Type.Record(Type.String(), Type.String(), {
        default: {},
        description: 'Where lines are sent besides, by name: URIs as `kato log drain add` takes them',
      }),
    },
    { default: {} },
  ),
  blobs: Type.Object(
    {
      kind: Type.String({
        default: 'folder',
        pattern: '^(folder|s3)$',
        description: 'Where packages, droplets, buildpacks and caches are kept: `folder` or `s3`',
      }),
      folder: Type.String({
        default: '',
        pattern: '^(/.*)?$',
        title: 'a path that begins with /, or nothing',
        description:
          'Folder of the blobs, one shared file system mounted on every controller; empty = a folder of this node, for a single controller',
      }),
      s3: Type.Object(
        {
          endpoint: Type.String({
            default: '',
            pattern: '^(https?://[^/?#]+/?)?$',
            title: 'a URL such as https://s3.example.com, or nothing',
            description: 'URL of the S3 server; empty = the public one of the region',
          }),
          region: Type.String({ default: 'us-east-1', minLength: 1, description: 'Region' }),
          bucket: Type.String({ default: '', description: 'Bucket; it must exist' }),
          pathStyle: Type.Boolean({ default: true, description: 'Bucket in the path, not in the host name' }),
          caFile: Type.String({ default: '', description: 'PEM file on the controllers with the CA of the S3 server' }),
          timeoutMs: ms(30_000, 'Longest silence of the S3 server'),
        },
        {
          default: {},
          additionalProperties: false,
          description:
            'S3 server, one key each, such as `blobs.s3.bucket`: endpoint, region, bucket, pathStyle, caFile, timeoutMs',
        },
      ),
    },
    { default: {} },
  ),
  primary: Type.Object(
    { port: port(8025, 'Status port of the primary'), supervisorPort: port(9001, 'supervisord XML-RPC') },
    { default: {} },
  ),
  backup: Type.Object(
    {
      enabled: Type.Boolean({ default: true, description: 'Back the control database up every night, on the Core' }),
      at: Type.String({
        default: '02:30',
        pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
        title: 'a time of day such as 02:30',
        description: 'When, UTC',
      }),
      folder: Type.String({
        default: '',
        pattern: '^(/.*)?$',
        title: 'a path that begins with /, or nothing',
        description:
          'Where to; a disk of another machine is better. It must exist; empty = `backups` of the state folder',
      }),
      kept: Type.Integer({
        default: 14,
        minimum: 1,
        maximum: 10_000,
        description: 'Backups kept; the oldest go first',
      }),
    },
    { default: {} },
  ),
  bus: Type.Object({ port: port(4222, 'NATS') }, { default: {} }),
  link: Type.Object(
    {
      registryPort: port(8026, 'Node registry, for the nodes of the cluster'),
      joinPort: port(8027, 'Where machines join the cluster'),
      databasePort: port(5432, 'Control database, for further controllers'),
      instancePort: port(61_001, 'Instances of a DEA, for routers'),
      hardStopS: seconds(3600, 'Longest life of connections over links that changed'),
    },
    { default: {} },
  ),
});

/** The cluster configuration, complete. */
export type ClusterConfig = Static<typeof ClusterConfig>;
