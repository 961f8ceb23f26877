/** What the server says of itself: whether it works, which model it has, which versions it is made of. */
import type { FastifyInstance } from "fastify";
import { VERSION } from "../version.ts";
import { engineVersions } from "../engine/versions.ts";
import { ApiError } from "./api-error.ts";
import type { ServerContext } from "./context.ts";

/** Engine threads answer between two forward passes, which take milliseconds. */
const HEALTH_TIMEOUT_MS = 10_000;

export function about(http: FastifyInstance, context: ServerContext): void {
  const { options, engine } = context;
  http.get("/health", async () => {
    await checkHealth(context);
    return { status: "ok" };
  });
  http.get("/version", async () => ({
    version: VERSION,
    routing: options.routing,
    engine: engineVersions(),
  }));
  const model = {
    id: options.servedModelName,
    object: "model",
    created: context.created,
    owned_by: "fusecheck",
    max_model_len: engine.config.contextLength,
  };
  http.get("/v1/models", async () => ({ object: "list", data: [model] }));
  http.get<{ Params: { "*": string } }>("/v1/models/*", (request) => {
    checkModel(context, request.params["*"]);
    return model;
  });
}

/** @throws ApiError 404 for a model that is not served; a request need not name one */
export function checkModel({ options }: ServerContext, asked: string | null | undefined): void {
  if (asked === undefined || asked === null || asked === options.servedModelName) return;
  const message = `there is no model "${asked.slice(0, 200)}"; this server has: ${options.servedModelName}`;
  throw new ApiError(404, message, { param: "model", code: "model_not_found" });
}

async function checkHealth({ engine, options }: ServerContext): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("an engine thread does not answer")), HEALTH_TIMEOUT_MS);
  });
  try {
    await Promise.race([engine.ping(), late]);
  } catch (error) {
    options.log(`not healthy: ${(error as Error).message}`);
    throw new ApiError(503, "the engine does not answer", { code: "unhealthy" });
  } finally {
    clearTimeout(timer);
  }
}
