/** Adds to a history that this process may only read, whoever started it. */
import { openHistory } from "../../../reports/history/history.ts";
import { exampleRun } from "./example.ts";

const [place = ""] = process.argv.slice(2);
// Loaded before the process is nobody, who may not be allowed to read this checkout.
await import("libsql");
if (process.getuid?.() === 0) process.seteuid?.(65_534);
const history = await openHistory(place);
process.stdout.write(`${(await history.series()).length} series\n`);
await history.add([exampleRun(1, 1250)]).catch((error: Error) => {
  process.stdout.write(`${error.name}: ${error.message}\n`);
});
await history.close();
