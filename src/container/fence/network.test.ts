import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { exec, start } from '../../platform/exec.ts';
import { deadline, readOutput, shellProcess, smallSpec } from '../container.conformance.ts';
import type { Egress } from '../container.ts';
import { openTestFence, type TestFence } from './testing/test-fence.ts';

const skip = process.getuid?.() === 0 ? false : 'the real engine needs root';

/** An address beyond the machine: a network namespace that answers HTTP. */
const FAR = '198.51.100.2';
const FAR_NAMESPACE = `fence-far-${process.pid}`;
const FAR_DEVICE = `far${process.pid}`;

describe('network of a container', { skip }, () => {
  let fence: TestFence;
  let far: ReturnType<typeof start>;
  const serveOne = 'while :; do printf "HTTP/1.0 200 OK\\r\\n\\r\\nhello" | nc -l -p 8080 >/dev/null; done';
  before(async () => {
    fence = await openTestFence();
    const input = [
      `netns add ${FAR_NAMESPACE}`,
      `link add ${FAR_DEVICE} type veth peer name eth0 netns ${FAR_NAMESPACE}`,
      `addr add 198.51.100.1/24 dev ${FAR_DEVICE}`,
      `link set ${FAR_DEVICE} up`,
    ].join('\n');
    await exec(['ip', '-batch', '-'], { input });
    const inside = `addr add ${FAR}/24 dev eth0\nlink set eth0 up\nlink set lo up\n`;
    await exec(['ip', '-n', FAR_NAMESPACE, '-batch', '-'], { input: inside });
    const serve = ['busybox', 'httpd', '-f', '-p', '80', '-h', '/usr/share'];
    far = start(['ip', 'netns', 'exec', FAR_NAMESPACE, ...serve], {}, ['ignore', 'ignore', 'inherit']);
  });
  after(async () => {
    far.kill('SIGKILL');
    await exec(['ip', '-batch', '-'], { input: `link del ${FAR_DEVICE}\nnetns del ${FAR_NAMESPACE}\n` });
    await fence[Symbol.asyncDispose]();
  });

  const nodeAddress = () => {
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    return all.find((entry) => entry.family === 'IPv4' && !entry.internal && !entry.address.startsWith('198.'))
      ?.address;
  };
  const reaches = async (handle: string, address: string, port: number | undefined) => {
    const command = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${address} ${port} 2>&1; echo ended with $?`;
    return (await fence.engine.exec(handle, shellProcess(command))).stdout;
  };
  const REFUSED = /^nc: .*(refused|unreachable|timed out)/m;
  const server = async (handle: string, egress: Egress[] = []) => {
    const info = await fence.engine.create(smallSpec(handle, { ports: [8080], egress }));
    await fence.engine.start(handle, shellProcess(serveOne));
    return { address: info.address, hostPort: info.ports[0]?.hostPort ?? 0 };
  };
  const answers = async (url: string) => {
    const end = deadline(10_000);
    while (!end.aborted) {
      try {
        return await (await fetch(url, { signal: end })).text();
      } catch (error) {
        if (end.aborted) throw error;
      }
    }
    throw new Error(`${url} did not answer`);
  };

  test('a host port leads to the port inside, from the node by its own address', async () => {
    const { address, hostPort } = await server('served');
    assert.equal(await answers(`http://${nodeAddress()}:${hostPort}/`), 'hello');
    assert.equal(await answers(`http://${address}:8080/`), 'hello');
  });

  test('a host port leads nowhere from another machine', async () => {
    const { hostPort } = await server('hidden');
    assert.equal(await answers(`http://${nodeAddress()}:${hostPort}/`), 'hello');
    const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 3 198.51.100.1 ${hostPort}`;
    const { stdout, code } = await exec(['ip', 'netns', 'exec', FAR_NAMESPACE, 'sh', '-c', ask], { okCodes: [0, 1] });
    assert.deepEqual([stdout, code], ['', 1]);
  });

  test('neither other containers nor the node can be reached, whatever wide rules say', async () => {
    const other = await server('victim');
    await answers(`http://${other.address}:8080/`);
    const everything: Egress[] = [{ protocol: 'all', destination: '0.0.0.0/0' }];
    await server('attacker', everything);
    const own = createServer((_request, response) => response.end('node'));
    await new Promise<void>((done) => own.listen(0, '0.0.0.0', done));
    const bound = own.address();
    const port = typeof bound === 'object' ? bound?.port : 0;
    try {
      const targets: [string | undefined, number | undefined][] = [
        [other.address, 8080],
        [nodeAddress(), other.hostPort],
        [nodeAddress(), port],
        ['198.51.100.1', port],
        ['169.254.169.254', 80],
      ];
      for (const [address = '', at] of targets) {
        assert.match(await reaches('attacker', address, at), REFUSED, `${address}:${at}`);
      }
      assert.match(await reaches('attacker', FAR, 80), /404 Not Found/);
    } finally {
      own.close();
    }
  });

  test('beyond the node it reaches what rules allow, changed while it runs', async () => {
    const { engine } = fence;
    await server('client');
    assert.match(await reaches('client', FAR, 80), REFUSED);
    await engine.setEgress('client', [{ protocol: 'tcp', destination: '198.51.100.0/24', ports: '80,443' }]);
    assert.match(await reaches('client', FAR, 80), /404 Not Found/);
    await engine.setEgress('client', [
      { protocol: 'tcp', destination: '198.51.100.0-198.51.100.9', ports: '8000-9000' },
    ]);
    assert.match(await reaches('client', FAR, 80), REFUSED);
    await engine.setEgress('client', [{ protocol: 'udp', destination: '198.51.100.0/24' }]);
    assert.match(await reaches('client', FAR, 80), REFUSED);
  });

  test('its rules come back when another program removes them, for old and new containers', async () => {
    const { engine, names } = fence;
    await server('kept', [{ protocol: 'tcp', destination: '198.51.100.0/24', ports: '80' }]);
    await server('changed');
    const flush = () => exec(['nft', 'delete', 'table', 'inet', names.table]);
    await flush();
    await engine.setEgress('changed', [{ protocol: 'tcp', destination: '198.51.100.0/24', ports: '80' }]);
    for (const handle of ['kept', 'changed']) assert.match(await reaches(handle, FAR, 80), /404 Not Found/);
    await flush();
    const { address, hostPort } = await server('late');
    assert.match(await reaches('kept', address, 8080), REFUSED);
    assert.equal(await answers(`http://${nodeAddress()}:${hostPort}/`), 'hello');
    await flush();
    await engine.destroy('late');
    assert.deepEqual(await engine.sweep(), []);
    assert.match(await reaches('kept', FAR, 80), /404 Not Found/);
    await flush();
    const end = deadline(30_000);
    const isBack = async () =>
      (await exec(['nft', 'list', 'table', 'inet', names.table], { okCodes: [0, 1] })).code === 0;
    while (!(await isBack())) end.throwIfAborted();
    assert.match(await reaches('kept', FAR, 80), /404 Not Found/);
    for (const handle of ['kept', 'changed']) await engine.destroy(handle);
  });

  test('what is meant for a container that is gone stays on the node', async () => {
    const gone = '10.251.3.250';
    await exec(['ip', 'route', 'add', gone, 'via', FAR, 'dev', FAR_DEVICE]);
    await exec(['ip', '-n', FAR_NAMESPACE, 'addr', 'add', `${gone}/32`, 'dev', 'eth0']);
    await assert.rejects(fetch(`http://${gone}/`, { signal: AbortSignal.timeout(3000) }));
    await exec(['nft', 'add', 'element', 'inet', fence.names.table, 'ports', `{ 39999 : ${gone} . 80 }`]);
    try {
      await assert.rejects(fetch(`http://${nodeAddress()}:39999/`, { signal: AbortSignal.timeout(3000) }));
    } finally {
      await exec(['nft', 'delete', 'element', 'inet', fence.names.table, 'ports', '{ 39999 }']);
    }
  });

  test('a rule for one single address opens even one of the node', async () => {
    const { engine } = fence;
    await server('bound');
    const own = createServer((_request, response) => response.end('service'));
    await new Promise<void>((done) => own.listen(0, '0.0.0.0', done));
    const bound = own.address();
    const port = typeof bound === 'object' ? bound?.port : 0;
    try {
      await engine.setEgress('bound', [{ protocol: 'tcp', destination: `${nodeAddress()}`, ports: `${port}` }]);
      assert.match(await reaches('bound', `${nodeAddress()}`, port), /service/);
    } finally {
      own.close();
    }
  });

  test('a rule that can not be applied is refused with the reason', async () => {
    const { engine } = fence;
    await assert.rejects(
      engine.create(smallSpec('wrong', { egress: [{ protocol: 'tcp', destination: 'example.org' }] })),
      /"example.org" is no IPv4 address/,
    );
    await assert.rejects(
      engine.setEgress('client', [{ protocol: 'tcp', destination: '10.0.0.0/8', ports: '1;flush ruleset' }]),
      /no port or range/,
    );
  });

  test('its own addresses can not be changed from inside, not even by root', async () => {
    await server('forger');
    const root = shellProcess('ip addr 2>&1; busybox ip addr add 10.251.0.99/32 dev eth0 2>&1; echo $?', {
      uid: 0,
      gid: 0,
    });
    const { stdout } = await fence.engine.exec('forger', root);
    assert.match(stdout, /Operation not permitted/);
    assert.equal((await readOutputSafely('forger')).length, 0);
  });

  const readOutputSafely = async (handle: string) => {
    await fence.engine.signal(handle, 'SIGKILL');
    return readOutput(fence.engine, handle);
  };
});
