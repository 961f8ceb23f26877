/** What a run says nothing about, in words. */
export function throughputNote(variants: number): readonly string[] {
  const speed = "speed: each variant was timed once, which is no benchmark";
  return variants > 1 ? [speed, "layer outputs: not compared"] : [speed];
}
