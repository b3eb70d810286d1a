const KEY = 'stackato.session';

/** The signed-in user's tokens; kept for the browser tab only. */
export type Session = { readonly accessToken: string; readonly refreshToken: string; readonly expiresAtMs: number };

export class LoginError extends Error {
  override name = 'LoginError';
}

let current: Session | undefined = restore();
const listeners = new Set<() => void>();

export function getSession(): Session | undefined {
  return current;
}

export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export async function logIn(username: string, password: string): Promise<void> {
  keep(await grant({ grant_type: 'password', username, password }));
}

export function logOut(): void {
  keep(undefined);
}

/** An access token with some life left; undefined when the user has to sign in again. */
export async function accessToken(): Promise<string | undefined> {
  if (!current) return undefined;
  if (current.expiresAtMs - Date.now() < 60_000) {
    try {
      keep(await grant({ grant_type: 'refresh_token', refresh_token: current.refreshToken }));
    } catch (error) {
      if (!(error instanceof LoginError)) throw error;
      keep(undefined);
    }
  }
  return current?.accessToken;
}

/** The user name inside the access token. */
export function userName(): string {
  const body = current?.accessToken.split('.')[1];
  if (!body) return '';
  const bytes = Uint8Array.from(atob(body.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  return String(JSON.parse(new TextDecoder().decode(bytes)).user_name ?? '');
}

async function grant(fields: Record<string, string>): Promise<Session> {
  const response = await fetch('/oauth/token', {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('cf:')}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields),
  });
  const answer = await response
    .json()
    .catch(() => ({ error_description: `the login server answered ${response.status}` }));
  if (!response.ok) throw new LoginError(String(answer.error_description ?? answer.error));
  return {
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token,
    expiresAtMs: Date.now() + answer.expires_in * 1000,
  };
}

function keep(session: Session | undefined): void {
  current = session;
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
  else sessionStorage.removeItem(KEY);
  for (const listener of listeners) listener();
}

function restore(): Session | undefined {
  const text = sessionStorage.getItem(KEY);
  return text ? (JSON.parse(text) as Session) : undefined;
}
