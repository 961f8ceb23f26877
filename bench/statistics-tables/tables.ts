/** The tables of docs/statistics.md by the names of their places in it. */
import { pairedCoverage, wilsonCoverage } from "./coverage.ts";
import { sequential } from "./sequential.ts";
import { docsNeeded, falseAlarms, falseEquivalence, power, powerOfEquivalence } from "./verdict.ts";

export const STATISTICS_TABLES: Readonly<Record<string, () => string>> = {
  "docs-needed": docsNeeded,
  "false-alarms": falseAlarms,
  "false-equivalence": falseEquivalence,
  power,
  "power-of-equivalence": powerOfEquivalence,
  "paired-coverage": pairedCoverage,
  "wilson-coverage": wilsonCoverage,
  sequential,
};
