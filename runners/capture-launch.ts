/** How a server is started for captures, and whether that differs from how it is started for answers. Pure. */
import type { EnginePreset } from "./engines/preset.ts";
import type { ServerSpec } from "./launch/index.ts";

export type CaptureLaunch =
  /** Started anew, with what the engine needs to give routed experts. */
  | { readonly kind: "anew"; readonly spec: ServerSpec; readonly added: string }
  /** The user's own way of starting it has that already: the answers come from such a server, too. */
  | { readonly kind: "same" }
  /** The engine needs nothing, as far as is known. */
  | { readonly kind: "nothing to add" };

export function captureLaunch(spec: ServerSpec, { args = [], env = {} }: EnginePreset["capture"]): CaptureLaunch {
  const needed = Object.entries(env);
  if (args.length === 0 && needed.length === 0) return { kind: "nothing to add" };
  const words = [spec.command, ...(spec.args ?? [])].flat().flatMap((text) => text.split(/[\s'"]+/));
  const has = (flag: string): boolean => words.some((word) => word === flag || word.startsWith(`${flag}=`));
  const flags = args.filter((arg) => arg.startsWith("--"));
  if (flags.every(has) && needed.every(([name, value]) => spec.env?.[name] === value)) return { kind: "same" };
  const shown = [...needed.map(([name, value]) => `${name}=${value ?? ""}`), ...args].join(" ");
  return {
    kind: "anew",
    spec: { ...spec, args: [...(spec.args ?? []), ...args], env: { ...spec.env, ...env } },
    added: shown,
  };
}
