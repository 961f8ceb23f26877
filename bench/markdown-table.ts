/** A Markdown table, all columns but the first right-aligned. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = `|${header.map((_, column) => (column === 0 ? "---" : "--:")).join("|")}|`;
  return [line(header), rule, ...rows.map(line)].join("\n");
}
