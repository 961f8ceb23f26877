/** A runner in a process of its own: adds batches of runs, one transaction each, and says which are in. */
import { openHistory } from "../../../reports/history/history.ts";
import { exampleRun } from "./example.ts";

const [place = "", name = "", batches = "1", size = "1"] = process.argv.slice(2);
const history = await openHistory(place);
process.stdout.write("open\n");
for (let batch = 0; batch < Number(batches); batch++) {
  const runs = Array.from({ length: Number(size) }, (_, i) => exampleRun(batch * Number(size) + i, 1250, { name }));
  await history.add(runs);
  process.stdout.write(`${batch}\n`);
}
await history.close();
