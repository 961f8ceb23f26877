/** Which model to ask for. */
import { UserError } from "../../errors.ts";
import { didYouMean } from "../../nearest.ts";
import { countMember, listMember, textMember } from "../json-read.ts";

export interface ServedModel {
  readonly id: string;
  /** The longest context, where the server says it. */
  readonly maxModelLen?: number;
}

const LISTED = 20;

/** The models of a `/v1/models` response; undefined where it is no such list. */
export function readModels(body: unknown): readonly ServedModel[] | undefined {
  return listMember(body, "data")?.flatMap((entry): ServedModel[] => {
    const id = textMember(entry, "id");
    const maxModelLen = countMember(entry, "max_model_len");
    return id === undefined ? [] : [{ id, ...(maxModelLen !== undefined && { maxModelLen }) }];
  });
}

/**
 * The asked model where it is served, or the only one there is.
 *
 * @param where - the server, for messages
 * @throws UserError that lists the models there are
 */
export function chooseModel(models: readonly ServedModel[], asked: string | undefined, where: string): ServedModel {
  const [first] = models;
  if (asked === undefined) {
    if (first === undefined) throw new UserError(`${where} offers no model; load one, or name one with --model`);
    if (models.length > 1)
      throw new UserError(`${where} offers several models; choose one with --model: ${list(models)}`);
    return first;
  }
  // A trailing slash does not matter, as ATOM has it; nor does Ollama's default tag.
  const names = new Set([asked, asked.replace(/\/+$/, ""), `${asked}:latest`]);
  const found = models.find(({ id }) => names.has(id) || names.has(id.replace(/\/+$/, "")));
  if (found !== undefined) return found;
  const near = didYouMean(
    asked,
    models.map(({ id }) => id),
  );
  throw new UserError(`${where} has no model "${asked}"${near}; it has: ${list(models)}`);
}

export function list(models: readonly ServedModel[]): string {
  const ids = models.slice(0, LISTED).map(({ id }) => id);
  const more = models.length > LISTED ? [`and ${models.length - LISTED} more`] : [];
  return ids.length === 0 ? "none" : [...ids, ...more].join(", ");
}
