/** Base URLs as people give them. */
import { UserError } from "../../errors.ts";

/**
 * `http://host:8000`, `http://host:8000/v1/` and `http://host:8000/v1/completions` all mean `http://host:8000/v1`; any
 * other path is kept.
 *
 * @throws UserError for what is not an http(s) URL, or carries a password, a query or a fragment: it would end up in
 *   run records
 */
export function parseBaseUrl(text: string): URL {
  const shown = withoutUserinfo(text);
  // Not `new URL` in a try block: its error quotes the whole text.
  if (!URL.canParse(text)) throw new UserError(`base URL "${shown}" is not a URL; expected http://host:port/v1`);
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new UserError(`base URL "${shown}" is neither http nor https; expected http://host:port/v1`);
  if (url.username !== "" || url.password !== "")
    throw new UserError(`base URL for ${url.host} carries a user or password; give the key in the environment instead`);
  if (url.search !== "" || url.hash !== "")
    throw new UserError(
      `base URL for ${url.host} has a query or a fragment; give extra headers or body fields instead`,
    );
  const path = url.pathname.replace(/\/+$/, "").replace(/\/(chat\/)?completions$/, "");
  url.pathname = path === "" ? "/v1" : path;
  return url;
}

function withoutUserinfo(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//").replace(/[?#].*$/s, "");
}
