import { containerConformance } from '../container.conformance.ts';
import { openTestFence } from './testing/test-fence.ts';

const skip = process.getuid?.() === 0 ? false : 'the real engine needs root';

containerConformance('fence', () => openTestFence(), skip);

containerConformance(
  'fence with containers made ahead',
  async () => {
    const fence = await openTestFence();
    await fence.engine.keepReady(2);
    return fence;
  },
  skip,
);
