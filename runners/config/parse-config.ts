/** Reads `fusecheck.yaml`; what is wrong with it is said with line and column. */
import { getEngine, getSwitch } from "../engines/index.ts";
import { readCheckedYaml } from "./checked-yaml.ts";
import { checkConfig } from "./schema.ts";
import type { UserConfig } from "./user-config.ts";

/**
 * @param file - as the user named it, for messages
 * @throws UserError: `fusecheck.yaml:3:8: parallel: expected true or false`
 */
export function parseConfig(text: string, file: string): UserConfig {
  const { value, fail } = readCheckedYaml(text, { file, help: "docs/engines.md", check: checkConfig });
  checkNames(value, (setting, what) => fail([setting], what));
  return value;
}

/** Looks up what has a name, so that a wrong one is shown where it stands. */
export function checkNames(
  { engine, switch: name }: UserConfig,
  report: (setting: string, what: string) => never,
): void {
  if (engine === undefined) return;
  let setting = "engine";
  try {
    const preset = getEngine(engine);
    setting = "switch";
    if (name !== undefined) getSwitch(preset, name);
  } catch (error) {
    report(setting, (error as Error).message);
  }
}
