import { busConformance } from './bus.conformance.ts';
import { MemoryBroker, MemoryBus } from './memory.ts';

busConformance('memory', async () => {
  const broker = new MemoryBroker();
  const [a, b] = [new MemoryBus(broker), new MemoryBus(broker)];
  return {
    a,
    b,
    [Symbol.asyncDispose]: async () => {
      await a.close();
      await b.close();
    },
  };
});
