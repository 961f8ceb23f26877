/** Which settings of `fusecheck.yaml` an example leaves out. */
import { parse } from "yaml";
import { parseConfig } from "../../runners/config/index.ts";

/** What the reader itself lists when it meets a setting that it does not know. */
function known(text: string): string[] {
  try {
    parseConfig(text, "f");
  } catch (error) {
    const [, listed] = /there are: (.*)$/.exec((error as Error).message) ?? [];
    if (listed !== undefined) return listed.split(", ");
  }
  throw new Error("no settings were listed");
}

/** Both of a variant's ways at once are refused, so they are shown in the other examples. */
const ELSEWHERE = new Set(["launch.port"]);

export function checkedKeys(example: string): string[] {
  const given = parse(example) as Readonly<Record<string, object>>;
  const wanted = [
    ...known("no-such-setting: 1").map((key) => [key]),
    ...known("launch: {no-such-setting: 1}").map((key) => ["launch", key]),
    ...known("timeouts: {no-such-setting: 1}").map((key) => ["timeouts", key]),
  ];
  return wanted
    .filter(([first = "", second]) => {
      const at = Object.hasOwn(given, first) ? given[first] : undefined;
      return second === undefined ? at === undefined : at === undefined || !Object.hasOwn(at, second);
    })
    .map((path) => path.join("."))
    .filter((path) => !ELSEWHERE.has(path));
}
