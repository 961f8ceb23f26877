const SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split(" ");
const TIMES: Readonly<Record<number, string>> = { 2: "twice", 3: "three times", 4: "four times", 5: "five times" };
const PARTS: Readonly<Record<number, string>> = {
  2: "half",
  3: "third",
  4: "quarter",
  5: "fifth",
  6: "sixth",
  8: "eighth",
  10: "tenth",
};

/** Values of the words that stand for a number in a question, in the forms the templates use. */
const WORD_VALUES: ReadonlyMap<string, number> = new Map([
  ...SMALL.map((word, value): [string, number] => [word, value]),
  ...Object.entries(PARTS).flatMap(([value, word]): [string, number][] => [
    [word, Number(value)],
    [`${word}s`, Number(value)],
  ]),
  ["halves", 2],
  ["twice", 2],
  ["double", 2],
  ["doubled", 2],
  ["tripled", 3],
  ["dozen", 12],
  ["pair", 2],
]);

/** `n` as a word; digits beyond twelve. */
export function inWords(n: number): string {
  return SMALL[n] ?? String(n);
}

/** "twice", "three times", ... "five times". */
export function times(n: number): string {
  return TIMES[n] ?? `${n} times`;
}

/** Name of one of `n` equal parts: "half", "third", ...; undefined where English has no handy one. */
export function partName(n: number): string | undefined {
  return PARTS[n];
}

/** "an apple", "a pear". */
export function a(noun: string): string {
  return `${/^(?:[aeio]|umb|un[^i])/i.test(noun) ? "an" : "a"} ${noun}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Every number stated in a text, as digits or as a word, in order. Scans by hand: a regular expression over all words
 * took a quarter of the time of making a problem.
 */
export function statedNumbers(text: string): number[] {
  const found: number[] = [];
  for (let at = 0; at < text.length;) {
    const start = at;
    while (isDigit(text.charCodeAt(at))) at++;
    if (at > start) {
      found.push(Number(text.slice(start, at)));
      continue;
    }
    while (isLetter(text.charCodeAt(at))) at++;
    if (at === start) at++;
    else if (at - start <= LONGEST_NUMBER_WORD) {
      const value = WORD_VALUES.get(text.slice(start, at).toLowerCase());
      if (value !== undefined) found.push(value);
    }
  }
  return found;
}

const LONGEST_NUMBER_WORD = 8;

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}
