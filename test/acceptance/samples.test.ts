import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { Developer } from './developer.ts';
import { admin, MicroCloud } from './micro-cloud.ts';
import { greeting, PrivateRegistry, settingsOf } from './private-registry.ts';
import { registryApps } from './registry-apps.ts';

const samplesFolder = fileURLToPath(new URL('../../samples', import.meta.url));
const pushTimeoutMs = 300_000;

const samples: readonly { readonly name: string; readonly detected: string; readonly answer?: RegExp }[] = [
  { name: 'node-express', detected: 'Node.js', answer: /^Hello from Express, instance 0/ },
  { name: 'python-flask', detected: 'Python', answer: /^Hello from Flask, instance 0/ },
  { name: 'static-site', detected: 'Static files', answer: /Hello from a static site/ },
  { name: 'go-web', detected: 'Go', answer: /^Hello from Go, instance 0/ },
  { name: 'ruby-sinatra', detected: 'Ruby', answer: /^Hello from Sinatra, instance 0/ },
  { name: 'php-page', detected: 'PHP', answer: /^Hello from PHP, instance 0/ },
  { name: 'java-jar', detected: 'Java', answer: /^Hello from Java, instance 0/ },
  { name: 'websocket-chat', detected: 'Node.js', answer: /<title>Chat/ },
  { name: 'worker', detected: 'Node.js' },
  { name: 'binary-procfile', detected: 'Binary', answer: /^Hello from a shell script, instance 0/ },
];

describe('real apps on a micro cloud', () => {
  let cloud: MicroCloud;

  before(async () => {
    cloud = await MicroCloud.open();
    const target = await cloud.node.stackato(['target', 'api.stackato.localhost']);
    assert.equal(target.code, 0, target.stderr);
    const login = ['login', admin.email, '--password-stdin'];
    const { code, stderr } = await cloud.node.stackato(login, { input: admin.password });
    assert.equal(code, 0, stderr);
  });

  after(() => cloud[Symbol.asyncDispose]());

  for (const { name, detected, answer } of samples) {
    test(`${name} is detected, staged, started and routed`, async () => {
      const cwd = join(samplesFolder, name);
      const push = await cloud.node.stackato(['push'], { cwd, timeoutMs: pushTimeoutMs });
      assert.equal(push.code, 0, `${push.stdout}\n${push.stderr}`);
      assert.match(push.stdout + push.stderr, new RegExp(detected.replaceAll('.', '\\.')));
      if (answer) assert.match((await cloud.untilStatus(`${name}.stackato.localhost`, 200)).body, answer);
      const logs = await cloud.node.stackato(['logs', name, '--num', '400']);
      assert.match(logs.stdout, /Container became healthy/);
    });
  }

  test('an app that does not listen where told fails with what it does instead', async () => {
    const cwd = join(samplesFolder, 'binary-procfile');
    const args = ['push', '--as', 'deaf', '--command', 'sleep 1000', '--health-timeout', '3'];
    const { code, stdout, stderr } = await cloud.node.stackato(args, { cwd, timeoutMs: pushTimeoutMs });
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /8080/);
  });

  describe('the console', () => {
    let browser: Browser;
    let page: Page;
    const complaints: string[] = [];

    before(async () => {
      const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
      const resolve = `--host-resolver-rules=MAP * ${cloud.node.address}`;
      browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', ...quiet, resolve],
      });
      page = await browser.newPage();
      page.on('pageerror', (error) => complaints.push(error.message));
    });

    after(() => browser?.close());

    test('refuses a wrong password in words, then lets the user in', async () => {
      await page.goto('http://console.stackato.localhost/');
      await page.getByLabel('Email').fill(admin.email);
      await page.getByRole('textbox', { name: 'Password' }).fill('wrong');
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByRole('alert').waitFor();
      await page.getByRole('textbox', { name: 'Password' }).fill(admin.password);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByRole('heading', { name: 'Applications' }).waitFor();
    });

    test('lists the apps of the space, and shows one with its instances and live log', async () => {
      const deaf = page.getByRole('row').filter({ has: page.getByText('deaf', { exact: true }) });
      await deaf.getByText(/^(CRASHED|STARTING|DOWN)$/).waitFor();
      await page.getByText('node-express', { exact: true }).click();
      await page.getByText('RUNNING').first().waitFor();
      await cloud.get('node-express.stackato.localhost', '/seen-by-the-console');
      await page.getByText('/seen-by-the-console').first().waitFor();
    });

    test('scales an app', async () => {
      await page.getByLabel('Instances').fill('2');
      await page.getByRole('button', { name: 'Scale' }).click();
      await page.getByText('RUNNING').nth(1).waitFor();
    });

    test("shows the node's roles and processes", async () => {
      await page.getByText('Nodes').click();
      await page.getByText('READY').first().waitFor();
      await page.getByText('stager').first().waitFor();
      assert.deepEqual(complaints, []);
    });
  });

  // Last: the settings stay.
  for (const way of ['named by settings', 'behind an HTTP proxy'] as const)
    describe(`registries on a private network, ${way}`, () => {
      let registry: PrivateRegistry;
      let developer: Developer;

      before(async () => {
        registry = await PrivateRegistry.listen(cloud.node.gateway);
        developer = await Developer.logIn(cloud.node);
        const isProxy = way === 'behind an HTTP proxy';
        // The proxy alone knows this name.
        const origin = isProxy ? 'http://registry.test' : registry.url;
        await registry.fill(origin);
        const environment = isProxy ? { http_proxy: registry.url, HTTP_PROXY: registry.url } : {};
        const settings = { ...settingsOf(origin), environment: JSON.stringify(environment) };
        for (const [name, value] of Object.entries(settings)) {
          const { code, stderr } = await cloud.node.kato(['config', 'set', `staging.${name}`, value]);
          assert.equal(code, 0, stderr);
        }
      });

      after(async () => {
        developer?.[Symbol.dispose]();
        await registry?.[Symbol.asyncDispose]();
      });

      for (const { name, path, files } of registryApps)
        test(`${name} gets its packages there`, async () => {
          const app = `${name}-${way.replaceAll(' ', '-').toLowerCase()}`;
          await developer.ok(['push', '--as', app, '-m', '128M'], developer.app(app, files));
          assert.equal((await cloud.untilStatus(`${app}.stackato.localhost`, 200)).body, greeting);
          assert.ok(
            registry.requests.some((request) => path.test(request)),
            registry.requests.join('\n'),
          );
          await developer.ok(['delete', app, '--yes']);
        });
    });
});
