/** One problem of a dataset, in GSM8K's two columns. */
export interface Doc {
  readonly question: string;
  /** The worked solution: sentences with `<<48/2=24>>` calculator marks, and a last line `#### 24`. */
  readonly answer: string;
}
