import { request } from 'node:http';
import { connect } from 'node:net';
import { type HealthQuestion, judgeStatus, type ProbeOutcome } from '../core/health-verdict.ts';

/** Asks an instance once whether it is well. Never rejects. */
export type Probe = (address: string, question: HealthQuestion) => Promise<ProbeOutcome>;

/** The real thing: a TCP connection or a GET to the container's address. */
export const networkProbe: Probe = (address, question) => {
  if (question.type === 'process') return Promise.resolve({ kind: 'well' });
  return question.type === 'port' ? probePort(address, question) : probeHttp(address, question);
};

function probePort(address: string, question: HealthQuestion): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: question.port });
    const end = (outcome: ProbeOutcome) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(question.invocationS * 1000, () => end({ kind: 'timeout' }));
    socket.once('connect', () => end({ kind: 'well' }));
    socket.once('error', (error) => end(outcomeOf(error)));
  });
}

function probeHttp(address: string, question: HealthQuestion): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(question.invocationS * 1000);
    const asked = request({
      host: address,
      port: question.port,
      path: question.endpoint,
      headers: { 'user-agent': 'stackato-health-check' },
      agent: false,
      signal,
    });
    asked.once('response', (response) => {
      resolve(judgeStatus(response.statusCode ?? 0));
      response.destroy();
    });
    asked.once('error', (error) => resolve(signal.aborted ? { kind: 'timeout' } : outcomeOf(error)));
    asked.end();
  });
}

function outcomeOf(error: NodeJS.ErrnoException): ProbeOutcome {
  const code = error.code ?? error.message;
  if (code === 'ECONNREFUSED' || code === 'EHOSTUNREACH') return { kind: 'refused' };
  return code === 'ETIMEDOUT' ? { kind: 'timeout' } : { kind: 'broken', detail: code };
}
