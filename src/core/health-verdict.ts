/** How an instance is asked whether it is well. */
export type HealthQuestion = {
  readonly type: 'port' | 'http' | 'process';
  readonly endpoint: string;
  readonly port: number;
  /** From the start until the first success, s. */
  readonly budgetS: number;
  /** For one answer, s. */
  readonly invocationS: number;
};

/** What one probe saw. */
export type ProbeOutcome =
  | { readonly kind: 'well' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'broken'; readonly detail: string };

/** A TCP socket that a process listens on. */
export type ListeningSocket = { readonly address: string; readonly port: number };

/** The outcome of an HTTP answer: 200 is well, anything else is not. */
export function judgeStatus(status: number): ProbeOutcome {
  return status === 200 ? { kind: 'well' } : { kind: 'status', status };
}

/** Why an instance did not get well in its start budget, in words that say what was seen and what to do. */
export function describeStartFailure(
  question: HealthQuestion,
  last: ProbeOutcome,
  listening: readonly ListeningSocket[],
): string {
  const { port, budgetS } = question;
  if (question.type === 'http' && last.kind !== 'refused') {
    return `${describeAnswer(question, last)}, for ${budgetS} s`;
  }
  return `failed to accept connections on port ${port} within ${budgetS} s; ${describeListening(port, listening)}`;
}

/** Why an instance that was well is not any more. */
export function describeLiveFailure(question: HealthQuestion, last: ProbeOutcome): string {
  if (question.type === 'http') return describeAnswer(question, last);
  const how = last.kind === 'timeout' ? `did not answer within ${question.invocationS} s` : 'refused the connection';
  return `health check: port ${question.port} ${how}`;
}

function describeAnswer(question: HealthQuestion, outcome: ProbeOutcome): string {
  const asked = `health check: GET ${question.endpoint}`;
  if (outcome.kind === 'status') return `${asked} answered ${outcome.status}, 200 is expected`;
  if (outcome.kind === 'timeout') return `${asked} gave no answer within ${question.invocationS} s`;
  if (outcome.kind === 'refused') return `${asked} was refused on port ${question.port}`;
  return `${asked} gave no valid answer${outcome.kind === 'broken' ? ` (${outcome.detail})` : ''}`;
}

function describeListening(port: number, listening: readonly ListeningSocket[]): string {
  const hidden = listening.find((socket) => socket.port === port && isLoopback(socket.address));
  if (hidden) return `the process listens on ${hidden.address}:${port} only, make it listen on 0.0.0.0`;
  const ports = [...new Set(listening.map((socket) => socket.port))].sort((a, b) => a - b);
  if (ports.length === 0) {
    return 'the process listens on no port; make it listen on $PORT, or set the health check type to process';
  }
  return `the process listens on ${ports.join(', ')}; make it listen on $PORT`;
}

const isLoopback = (address: string) => address === '::1' || address.startsWith('127.');

/** The listening sockets of a network namespace, from the text of `/proc/net/tcp` and `/proc/net/tcp6`. */
export function parseListening(text: string): ListeningSocket[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /.exec(line);
    return match?.[1] && match[2] ? [{ address: formatAddress(match[1]), port: Number.parseInt(match[2], 16) }] : [];
  });
}

/** Addresses are written as 32-bit words in the byte order of the machine, which is little-endian here. */
function formatAddress(hex: string): string {
  const bytes = hex.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  if (bytes.length === 4) return bytes.reverse().join('.');
  if (/^0+$/.test(hex)) return '::';
  if (hex === '00000000000000000000000001000000') return '::1';
  if (hex.startsWith('0000000000000000FFFF0000')) return bytes.slice(12).reverse().join('.');
  return hex.toLowerCase();
}
