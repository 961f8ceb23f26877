/** Tools to spoil sound routing data with. */

import { expertData } from "../../engine/routing/expert-tiles.ts";
import { fusedRoutingFromTopk } from "../../engine/routing/fused.ts";
import type { RoutingData, RoutingInput, WeightArray } from "../../engine/routing/routing-data.ts";
import type { Routed } from "../check-routed.ts";

export type Input = RoutingInput<WeightArray>;
export type Data = { -readonly [Key in keyof RoutingData<WeightArray>]: RoutingData<WeightArray>[Key] };
export type Route = (input: Input) => Routed;

/** The fused chain, and then a change to what it made. The tiles follow the changed histogram, as a kernel's would. */
export function spoiled(spoil: (data: Data, input: Input) => void): Route {
  return (input) => {
    const data: Data = { ...fusedRoutingFromTopk(input) };
    spoil(data, input);
    return withTiles(data);
  };
}

/** The fused chain on a changed input. */
export function misled(change: (input: Input) => Input): Route {
  return (input) => withTiles(fusedRoutingFromTopk(change(input)));
}

/** `spoil` where `applies`, the sound fused chain elsewhere. */
export function onlyWhere(applies: (input: Input) => boolean, spoil: (data: Data, input: Input) => void): Route {
  return spoiled((data, input) => {
    if (applies(input)) spoil(data, input);
  });
}

export function withTiles(data: RoutingData<WeightArray>): Routed {
  // A histogram may be spoiled beyond what tiles can be made of; the invariants have it then.
  const isSound = data.hist.every((count) => count >= 0);
  return isSound ? { data, experts: expertData(data.hist) } : { data };
}

/** A weight that is plainly another one, in any dtype: the lowest bit of the exponent is flipped in half precision. */
export function spoilWeight({ gateScal }: Data, position: number): void {
  const weight = gateScal[position] ?? 0;
  gateScal[position] = gateScal instanceof Uint16Array ? weight ^ 0x80 : weight * 1.5 + 0.125;
}

/** Exchanges two positions and keeps the data consistent with themselves. */
export function exchange({ topkIndx, gateIndx, gateScal }: Data, a: number, b: number): void {
  swap(topkIndx, a, b);
  swap(gateScal, a, b);
  gateIndx[topkIndx[a]!] = a;
  gateIndx[topkIndx[b]!] = b;
}

export function swap(values: Int32Array | WeightArray, a: number, b: number): void {
  [values[a], values[b]] = [values[b]!, values[a]!];
}

/** [start, end) of each expert that has entries. */
export function* buckets({ hist }: RoutingData<WeightArray>): Generator<readonly [start: number, end: number]> {
  let start = 0;
  for (const count of hist) {
    if (count > 0) yield [start, start + count];
    start += count;
  }
}
