/** Routing data as the experts' graph takes them: as they stand, without a copy. */
import ort from "onnxruntime-node";
import type { RoutingData } from "./routing/routing-data.ts";

export function routingFeeds({ topkIndx, hist, gateIndx, gateScal }: RoutingData): Record<string, ort.Tensor> {
  return {
    topk_indx: new ort.Tensor("int32", topkIndx, [topkIndx.length]),
    hist: new ort.Tensor("int32", hist, [hist.length]),
    gate_indx: new ort.Tensor("int32", gateIndx, [gateIndx.length]),
    gate_scal: new ort.Tensor("float32", gateScal, [gateScal.length, 1]),
  };
}
