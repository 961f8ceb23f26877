/** `node --import usage.mjs PROGRAM`: writes what the process took, from its start to its end, to the file $FUSECHECK_USAGE. */
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const usage = { cpu_seconds: (userCPUTime + systemCPUTime) / 1e6, peak_mib: maxRSS / 1024 };
  writeFileSync(process.env["FUSECHECK_USAGE"], JSON.stringify(usage));
});
