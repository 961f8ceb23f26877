/** Results in a document, between `<!-- name -->` and `<!-- /name -->`, so that the words around them stay. */
export function replaceSection(document: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [document.indexOf(start), document.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`the document has no place for results between ${start} and ${end}`);
  return `${document.slice(0, from + start.length)}\n${content}${document.slice(to)}`;
}
