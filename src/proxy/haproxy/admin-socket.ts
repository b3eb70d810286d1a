import { connect } from 'node:net';

const LINE_BYTES = 12_000;
const ACCEPTED = /^(New server registered\.|no need to change|IP changed|port changed|nothing changed)/;

/** HAProxy refused a command, or does not answer. */
export class AdminError extends Error {
  override name = 'AdminError';
}

/** HAProxy's runtime API. One connection per batch: its interactive mode prompts differently in each version. */
export class AdminSocket {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Sends one line of commands and gives all that is answered. @throws AdminError when there is no answer in 10 s */
  query(line: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const chunks: Buffer[] = [];
    const socket = connect(this.#path);
    const fail = (why: string) => {
      socket.destroy();
      reject(new AdminError(`HAProxy at ${this.#path} ${why}`));
    };
    socket.setTimeout(10_000, () => fail('does not answer'));
    socket.on('error', (error) => fail(`cannot be reached: ${error.message}`));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
    socket.write(`${line}\n`);
    return promise;
  }

  /** Runs commands in order. @throws AdminError with the first answer that is not a success */
  async run(commands: readonly string[]): Promise<void> {
    for (const line of inLines(commands)) {
      const complaint = said(await this.query(line)).find((answer) => !ACCEPTED.test(answer));
      if (complaint !== undefined) throw new AdminError(`HAProxy refused a change: ${complaint}`);
    }
  }

  /** Runs commands that each answer one line, and gives these lines in order. */
  async ask(commands: readonly string[]): Promise<string[]> {
    const answers: string[] = [];
    for (const line of inLines(commands)) answers.push(...said(await this.query(line)));
    return answers;
  }
}

function said(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function* inLines(commands: readonly string[]): Generator<string> {
  let line = '';
  for (const command of commands) {
    if (line && line.length + command.length > LINE_BYTES) {
      yield line;
      line = '';
    }
    line = line ? `${line};${command}` : command;
  }
  if (line) yield line;
}
