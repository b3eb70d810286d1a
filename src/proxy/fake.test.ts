import { addressOf } from '../core/route-table.ts';
import { FakeClock } from '../platform/clock.ts';
import { seededRandom } from '../platform/random.ts';
import { FakeProxy } from './fake.ts';
import { proxyConformance } from './proxy.conformance.ts';

proxyConformance('fake', async () => {
  const proxy = new FakeProxy({ clock: new FakeClock(), random: seededRandom() });
  let port = 1000;
  return {
    proxy,
    backend: async (name, headers = {}) => {
      const at = { host: '127.0.0.1', port: port++ };
      proxy.listen(addressOf(at), (request) => ({
        status: 200,
        headers,
        body: JSON.stringify({ name, path: request.path, headers: request.headers }),
      }));
      return { ...at, stop: async () => proxy.listen(addressOf(at), undefined) };
    },
    request: async (request) => proxy.request(request),
    [Symbol.asyncDispose]: () => proxy.stop(),
  };
});
