/** What a benchmark is: a name to ask for it by, and Markdown to show for it. */
export interface BenchmarkOptions {
  /** A folder with GSM8K's files. */
  readonly data: string | undefined;
  /** A Python that has torch and transformers. */
  readonly python: string | undefined;
  /** A Python that has lm-eval. */
  readonly lmEvalPython: string | undefined;
  /** llama.cpp's `llama-batched-bench`. */
  readonly llamaBench: string | undefined;
  /** The embedded model as a GGUF file in float32. */
  readonly gguf: string | undefined;
}

export interface Benchmark {
  readonly title: string;
  /** Markdown: a table, and below it what must be known to read it. */
  readonly run: (options: BenchmarkOptions) => Promise<string>;
}
