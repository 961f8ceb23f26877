/** What a run says nothing about, in words. */
export function throughputNote(): readonly string[] {
  return ["speed: each variant was timed once, which is no benchmark"];
}
