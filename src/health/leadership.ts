/** Which of several health managers acts. */
export interface Leadership extends AsyncDisposable {
  isLeader(): boolean;
  /** Grows with each change of leader; goes out with what the leader asks for. */
  term(): number;
}

/** The leadership of one who is alone. */
export function soleLeadership(): Leadership {
  return { isLeader: () => true, term: () => 1, [Symbol.asyncDispose]: async () => {} };
}

/** A leadership that a test hands out and takes away. */
export class FakeLeadership implements Leadership {
  leads: boolean;
  #term = 1;

  constructor(leads = true) {
    this.leads = leads;
  }

  isLeader(): boolean {
    return this.leads;
  }

  term(): number {
    return this.#term;
  }

  setTerm(term: number): void {
    this.#term = term;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
