import type { Static } from 'typebox';
import type { StagingResult as Schema } from '../contract/messages/staging.ts';

/** What a stager says at the end of a build. */
export type StagingResult = Static<typeof Schema>;
