/** The tables of docs/engines.md, from the presets themselves. */
import { ENGINE_NAMES, ENGINES } from "../../runners/engines/index.ts";
import type { Side } from "../../runners/engines/index.ts";

function code(text: string): string {
  return `\`${text}\``;
}

function sideText({ args = [], env = {} }: Side): string {
  const variables = Object.entries(env).map(([name, value]) =>
    value === null ? `${code(name)} unset` : code(`${name}=${value}`),
  );
  return [...variables, ...(args.length > 0 ? [code(args.join(" "))] : [])].join(", ") || "-";
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map(() => "---"), ...rows];
  return lines
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", String.raw`\|`)).join(" | ")} |`)
    .join("\n");
}

function duration(ms: number): string {
  return ms < 60_000 ? `${ms / 1000} s` : `${ms / 60_000} min`;
}

function presets(): string {
  const commands = ENGINE_NAMES.map((name) => {
    const { title, launch, healthPath, healthMeans, startupMs, graceMs, stopSignal } = ENGINES[name];
    const started = launch === undefined ? "none" : code(launch.command.join(" "));
    const given = launch?.env === undefined ? "" : `; ${sideText({ env: launch.env })}`;
    const stopped = `${stopSignal}, ${duration(graceMs)}`;
    return [code(name), title, started + given, `${code(healthPath)}: ${healthMeans}`, duration(startupMs), stopped];
  });
  const more = ENGINE_NAMES.map((name) => {
    const { capture, identify, prefixCaching, deterministic } = ENGINES[name];
    // The same fields at two paths: older and newer versions.
    const named = [...new Set(identify.map(({ fields }) => fields.join(", ")))];
    const fields = named.map((names) => {
      const paths = identify.filter(({ fields: same }) => same.join(", ") === names).map(({ path }) => code(path));
      return `${paths.join(" or ")} (${names})`;
    });
    const off = sideText(prefixCaching.off);
    const fixed = sideText(deterministic);
    return [
      code(name),
      capture.args === undefined ? capture.about : `${code(capture.args.join(" "))}: ${capture.about}`,
      fields.join(", ") || "nothing",
      off === "-" ? prefixCaching.about : `${prefixCaching.about}; off: ${off}`,
      fixed === "-" ? deterministic.about : `${fixed}: ${deterministic.about}`,
    ];
  });
  const notes = ENGINE_NAMES.flatMap((name) => ENGINES[name].notes.map((note) => `- ${code(name)}: ${note}`));
  return [
    table(["engine", "", "started by", "health, and what it means", "may take", "stop, then SIGKILL after"], commands),
    table(["engine", "routed experts", "identified by", "prefix caching", "for runs that repeat themselves"], more),
    notes.join("\n"),
  ].join("\n\n");
}

/** What the two sides of a switch have in common, and what is left of each. */
function apart(off: Side, on: Side): { readonly both: Side; readonly off: Side; readonly on: Side } {
  const common = Object.entries(off.env ?? {}).filter(([name, value]) => on.env?.[name] === value);
  const without = (side: Side): Side => ({
    ...side,
    env: Object.fromEntries(Object.entries(side.env ?? {}).filter(([name]) => !common.some(([same]) => same === name))),
  });
  return { both: { env: Object.fromEntries(common) }, off: without(off), on: without(on) };
}

function switches(): string {
  const rows = ENGINE_NAMES.flatMap((name) =>
    Object.entries(ENGINES[name].switches).map(([key, { about, caution, ...sides }]) => {
      const { both, off, on } = apart(sides.off, sides.on);
      return [code(name), code(key), about, sideText(off), sideText(on), sideText(both), caution ?? ""];
    }),
  );
  return table(["engine", "switch", "what is compared", "baseline (off)", "fused (on)", "in both", "mind"], rows);
}

/** The document with its tables as they have to be. */
export function withTables(document: string): string {
  return [
    ["presets", presets()],
    ["switches", switches()],
  ].reduce(
    (text, [name = "", content]) =>
      text.replace(
        new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`),
        (_, start: string, end: string) => `${start}${content}\n${end}`,
      ),
    document,
  );
}
