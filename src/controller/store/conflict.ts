import { PlatformError } from '../../contract/errors.ts';

/**
 * Runs a write; turns a violated unique index or foreign key into the error for that constraint.
 *
 * @param texts a 422's text, or another error, by constraint name; violations of others are passed on
 */
export async function explainConflict<T>(
  texts: Readonly<Record<string, string | PlatformError>>,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const constraint = error instanceof Error && 'constraint' in error ? String(error.constraint) : '';
    const text = texts[constraint];
    if (text === undefined) throw error;
    throw typeof text === 'string' ? new PlatformError('UnprocessableEntity', text, { cause: error }) : text;
  }
}
