/** The longest variable that Linux hands to a program, with its name, `=` and the closing NUL; bytes. */
const LONGEST_VARIABLE = 131_072;
/** The most that all variables of an app may take together, bytes: a start message carries them over the bus. */
const LARGEST_ENVIRONMENT = 262_144;

/** Why an app may not set this variable, or undefined: `cannot set PORT`, … */
export function envProblem(key: string, value = ''): string | undefined {
  if (key === '') return 'key must be a minimum length of 1';
  if (key.length > 1000) return `key '${key.slice(0, 20)}…' is longer than 1000 characters`;
  if (key.includes('=')) return `key '${key}' must not contain '='`;
  if (key.includes('\0')) return 'key must not contain a NUL character';
  if (value.includes('\0')) return `value of '${key}' must not contain a NUL character`;
  const bytes = sizeOf(key, value);
  if (bytes > LONGEST_VARIABLE)
    return `value of '${key}' is too large: ${bytes} bytes, ${LONGEST_VARIABLE} are possible`;
  if (/^vcap_/i.test(key)) return 'cannot start with VCAP_';
  if (/^vmc/i.test(key)) return 'cannot start with VMC_';
  if (/^port$/i.test(key)) return 'cannot set PORT';
  return undefined;
}

/** Why these variables can't be set together, or undefined: they are too large. */
export function environmentProblem(variables: Readonly<Record<string, unknown>>): string | undefined {
  let bytes = 0;
  for (const [key, value] of Object.entries(variables)) bytes += sizeOf(key, String(value));
  if (bytes <= LARGEST_ENVIRONMENT) return undefined;
  return `are too large together: ${bytes} bytes, ${LARGEST_ENVIRONMENT} are possible; put large data into a file of the app or a service`;
}

/** Bytes as UTF-8 in the environment of a process. */
function sizeOf(key: string, value: string): number {
  let bytes = key.length + value.length + 2;
  for (const text of [key, value]) {
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      // Each half of a surrogate pair stands for two of its four bytes.
      if (code >= 0x80) bytes += code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 1 : 2;
    }
  }
  return bytes;
}
