/** Versions, as installed, of the packages that decide the engine's numbers. */
import { env } from "@huggingface/transformers";
import ort from "onnxruntime-node";

export function engineVersions(): Readonly<Record<string, string>> {
  return {
    "@huggingface/transformers": env.version,
    "onnxruntime-node": ort.env.versions.node ?? ort.env.versions.common,
  };
}
