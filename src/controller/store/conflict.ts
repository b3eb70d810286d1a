import { PlatformError } from '../../contract/errors.ts';

/**
 * Runs a write; turns a violated unique index or foreign key into a 422 with the text for that constraint.
 *
 * @param texts text by constraint name; violations of others are passed on
 */
export async function explainConflict<T>(texts: Readonly<Record<string, string>>, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const constraint = error instanceof Error && 'constraint' in error ? String(error.constraint) : '';
    const text = texts[constraint];
    if (text === undefined) throw error;
    throw new PlatformError('UnprocessableEntity', text, { cause: error });
  }
}
