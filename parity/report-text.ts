/** What a check found, in words. */
import { quote } from "../engine/safetensors-header.ts";
import type { CheckedDump } from "./check-dump.ts";
import type { RoutedReport } from "./check-routed.ts";
import type { Coverage } from "./coverage.ts";
import type { SpotCheck } from "./spot-check.ts";

/** Broken cases that are listed in full. */
const LISTED = 20;

/** @param what - the implementation that was checked */
export function spotCheckText(what: string, seed: number, check: SpotCheck): string[] {
  const { cases, entries, checked, seconds, failed, failures, covered } = check;
  return [
    `Routing data of ${what}, against the reference chain`,
    `  ${number(cases)} cases, ${number(entries)} entries, ${number(checked)} checks in ${seconds.toFixed(1)} s; seed ${seed}`,
    ...coverageText(covered).map((line) => `  ${line}`),
    failed === 0
      ? "Held: exact histograms, inverse indices, buckets, weights and tiles; finite, dtype kept."
      : `Broken in ${number(failed)} of ${number(cases)} cases:`,
    ...failures.flatMap(({ name, report }) => failureText(name, report)),
    ...(failed > failures.length ? [`  and ${number(failed - failures.length)} more`] : []),
  ];
}

function coverageText({ nTokens, nExpertsAct, nExpertsTot, entries, kinds }: Coverage): string[] {
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ");
  const range = ([least, most]: readonly [number, number]): string => `${number(least)} to ${number(most)}`;
  return [
    `N ${range(nTokens)}; K ${range(nExpertsAct)}; E ${range(nExpertsTot)}; NK ${range(entries)} (${counts(kinds.size)})`,
    `scores: ${counts(kinds.scoring)}; weights: ${counts(kinds.dtype)}; expert map: ${counts(kinds.mapped)}`,
    `loads: ${counts(kinds.load)}`,
  ];
}

export function dumpText({ path, cases, results }: CheckedDump): string[] {
  const broken = results.filter(({ report }) => report.violationCount > 0);
  const entries = results.reduce((sum, { of }) => sum + of.nTokens * of.nExpertsAct, 0);
  const checked = results.reduce((sum, { report }) => sum + report.checked, 0);
  return [
    `Routing data in ${path}`,
    `  ${number(cases)} cases, ${number(results.length)} answers, ${number(entries)} entries, ${number(checked)} checks`,
    `  implementations: ${[...new Set(results.map(({ implementation }) => plain(implementation)))].slice(0, LISTED).join(", ")}`,
    broken.length === 0
      ? "Held: every answer keeps every invariant."
      : `Broken in ${number(broken.length)} of ${number(results.length)} answers:`,
    ...broken
      .slice(0, LISTED)
      .flatMap(({ of, implementation, report }) => failureText(`${plain(of.name)}, ${plain(implementation)}`, report)),
    ...(broken.length > LISTED ? [`  and ${number(broken.length - LISTED)} more`] : []),
  ];
}

/** The first place of each invariant that is broken. */
function failureText(where: string, { violations, violationCount }: RoutedReport): string[] {
  const firsts = violations.filter(
    ({ invariant }, index) => violations.findIndex((other) => other.invariant === invariant) === index,
  );
  return [
    `  ${where}: ${number(violationCount)} violation${violationCount === 1 ? "" : "s"}`,
    ...firsts.map(
      (violation) =>
        `    ${violation.invariant}, first at ${violation.where}: expected ${violation.expected}, found ${violation.found}`,
    ),
  ];
}

/** A name from an untrusted file: as it is if it is harmless, else quoted and escaped. */
function plain(name: string): string {
  return /^[\w.+-]{1,100}$/.test(name) ? name : quote(name);
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
