const HIDDEN = '[hidden]';
const SHORTEST = 6;

/** Names of settings and options whose values are nobody's business. */
const SECRET_NAME = /pass(word|wd|phrase)?$|secret|token|credential|(^|[_.-])key(id)?$/i;
const CAMEL_NAME = /[a-z]Key(Id)?$/;

/** Is this the name of something secret, as `password`, `API_KEY` or `secretAccessKey`? */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) || CAMEL_NAME.test(name);
}

/**
 * A text without secrets: none of these values in any of the forms they are written in, and nothing that looks like a
 * key, a token or the password of a URL.
 *
 * @param secrets values that must not be seen; those of fewer than 6 characters would blank half of every text, and are
 * left to the patterns
 */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  let hidden = text;
  const forms = new Set(secrets.filter((one) => one.length >= SHORTEST).flatMap(writtenForms));
  // Longer ones first: one may hold another.
  for (const form of [...forms].sort((a, b) => b.length - a.length)) hidden = hidden.replaceAll(form, HIDDEN);
  return hidePatterns(hidden);
}

function writtenForms(secret: string): string[] {
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), secret.replaceAll("'", "''")];
}

/** What is secret by its form. */
function hidePatterns(text: string): string {
  return text
    .replaceAll(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(?:-----END \1-----|$)/g, HIDDEN)
    .replaceAll(/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/g, HIDDEN)
    .replaceAll(/\b[0-9a-f]{40}\.[0-9a-f]{32}\b/g, HIDDEN)
    .replaceAll(/\b((?:basic|bearer)\s+)[\w+/=.~-]{8,}/gi, `$1${HIDDEN}`)
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*):[^\s/@"']+@/gi, `$1:${HIDDEN}@`)
    .replaceAll(/((?:password|secret|token)["']?\s*[:=]\s*)(["'])(?!\[hidden\])[^"'\n]+\2/gi, `$1$2${HIDDEN}$2`)
    .replaceAll(/((?:password|secret|token)\s*=\s*)(?!["'[])[^\s"'&,;]+/gi, `$1${HIDDEN}`);
}

/** Every text below a value, as the secrets of a file that holds nothing else. */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

/** Texts below a value that stand under a secret name, and passwords within URLs. */
export function secretsIn(value: unknown, name = ''): string[] {
  if (typeof value === 'string') {
    const inUrl = [...value.matchAll(/:\/\/[^\s/:@]*:([^\s/@]+)@/g)].map(([, password = '']) => password);
    return isSecretName(name) ? [value, ...inUrl] : inUrl;
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => secretsIn(one, Array.isArray(value) ? name : key));
}
