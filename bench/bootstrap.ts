/** How long the bootstrap takes; its limit is 0.2 s for 10,000 resamples of GSM8K's 1,319 pairs. */
import { bootstrap } from "../metrics/bootstrap.ts";
import { markdownTable } from "./markdown-table.ts";
import { median, range, whole } from "./statistics.ts";

const ROUNDS = 7;
const RESAMPLES = 10_000;

export function benchBootstrap(): Promise<string> {
  const rows = [100, 1319, 5000].map((docs) => {
    const differences = Int8Array.from({ length: docs }, (_, doc) => (doc % 50 === 0 ? -1 : doc % 80 === 0 ? 1 : 0));
    const statistic = (drawn: Uint32Array): number => {
      let sum = 0;
      for (let index = 0; index < drawn.length; index++) sum += differences[drawn[index]!]!;
      return sum / drawn.length;
    };
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      bootstrap({ docs, statistic, resamples: RESAMPLES });
      times.push(performance.now() - start);
    }
    return [whole(docs), `${whole(median(times))} (${range(times, whole)})`, docs === 1319 ? "200" : ""];
  });
  const table = markdownTable(["pairs", "ms", "limit, ms"], rows);
  return Promise.resolve(`${table}\n\n${whole(RESAMPLES)} resamples, BCa; median (range) of ${ROUNDS}.`);
}
