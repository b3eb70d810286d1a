/** The source ended before what was asked for was there. */
export class SourceEnded extends Error {
  override name = 'SourceEnded';
}

/** Reads a stream of pieces in the sizes that a format calls for. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest = Buffer.alloc(0);
  #hasEnded = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /**
   * Exactly this many bytes.
   *
   * @throws SourceEnded when there are fewer
   */
  async read(bytes: number): Promise<Buffer> {
    const piece = await this.readUpTo(bytes);
    if (piece.length < bytes) throw new SourceEnded(`${bytes} bytes were expected, and ${piece.length} were left`);
    return piece;
  }

  /** This many bytes, or what is left. */
  async readUpTo(bytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [this.#rest];
    let held = this.#rest.length;
    while (held < bytes && !this.#hasEnded) {
      const { value, done } = await this.#source.next();
      if (done) this.#hasEnded = true;
      else {
        pieces.push(value);
        held += value.length;
      }
    }
    const all = pieces.length === 1 ? this.#rest : Buffer.concat(pieces);
    this.#rest = all.subarray(bytes);
    return all.subarray(0, bytes);
  }

  /** One line without its end. @throws SourceEnded when none of at most `longest` bytes is there */
  async readLine(longest: number): Promise<string> {
    const line: Buffer[] = [];
    while (line.length <= longest) {
      const byte = await this.read(1);
      if (byte[0] === 0x0a) return Buffer.concat(line).toString('latin1');
      line.push(byte);
    }
    throw new SourceEnded(`a line is longer than ${longest} bytes`);
  }
}
