/**
 * Finds the answer in a completion, as lm-eval's regular expressions for the GSM8K family do.
 *
 * Each rule is a scan that looks at every character a bounded number of times: the regular expressions themselves go back
 * over long runs of digits and dots once per start, and a completion is whatever a model (or an attacker) wrote.
 * A run below is always the longest possible one of its character class, so that what a greedy expression takes is the run.
 */

/** Finds the answer as written, or `null`. */
export type Extract = (completion: string) => string | null;

const MINUS = 0x2d;
const NEWLINE = 0x0a;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** `[0-9.,]` */
function isNumeral(code: number): boolean {
  return isDigit(code) || code === 0x2e || code === 0x2c;
}

/** `[$0-9.,]` */
function isMoney(code: number): boolean {
  return isNumeral(code) || code === 0x24;
}

function runEnd(text: string, start: number, belongs: (code: number) => boolean): number {
  let end = start;
  while (end < text.length && belongs(text.charCodeAt(end))) end++;
  return end;
}

/** Where digits begin after `prefix` at `at`: behind one minus sign, if there is one. */
function afterSign(text: string, start: number): number {
  return text.charCodeAt(start) === MINUS ? start + 1 : start;
}

/** `prefix` followed by what `capture` accepts: the first such place. */
function first(prefix: string, capture: (text: string, start: number) => string | null): Extract {
  return (text) => {
    for (let at = text.indexOf(prefix); at >= 0; at = text.indexOf(prefix, at + prefix.length)) {
      const found = capture(text, at + prefix.length);
      if (found !== null) return found;
    }
    return null;
  };
}

/** `prefix` followed by what `capture` accepts: the last such place. */
function last(prefix: string, capture: (text: string, start: number) => string | null): Extract {
  return (text) => {
    let at = text.lastIndexOf(prefix);
    while (at >= 0) {
      const found = capture(text, at + prefix.length);
      if (found !== null) return found;
      // A negative start would be read as 0 and find a prefix at 0 for ever.
      at = at === 0 ? -1 : text.lastIndexOf(prefix, at - 1);
    }
    return null;
  };
}

/** `(-?[0-9.,]+)` */
function numeral(text: string, start: number): string | null {
  const digits = afterSign(text, start);
  const end = runEnd(text, digits, isNumeral);
  return end > digits ? text.slice(start, end) : null;
}

/** `(-?[0-9.,]+).`: one more character must follow, any but a newline, and the run gives up its last one if need be. */
function numeralAndOneMore(text: string, start: number): string | null {
  const digits = afterSign(text, start);
  const end = runEnd(text, digits, isNumeral);
  const followed = end < text.length && text.charCodeAt(end) !== NEWLINE;
  const captureEnd = followed ? end : end - 1;
  return captureEnd > digits ? text.slice(start, captureEnd) : null;
}

/** `(-?[0-9.,]*[0-9]+)`: the run up to its last digit. */
function numeralToLastDigit(text: string, start: number): string | null {
  const digits = afterSign(text, start);
  let end = runEnd(text, digits, isNumeral);
  while (end > digits && !isDigit(text.charCodeAt(end - 1))) end--;
  return end > digits ? text.slice(start, end) : null;
}

/** `((-?[$0-9.,]{2,})|(-?[0-9]+))` */
function moneyOrDigit(text: string, start: number): string | null {
  const digits = afterSign(text, start);
  const end = runEnd(text, digits, isMoney);
  return isAnswerRun(text, digits, end) ? text.slice(start, end) : null;
}

/** A run of `[$0-9.,]` holds an answer when it is two long, or one digit. */
function isAnswerRun(text: string, start: number, end: number): boolean {
  return end - start >= 2 || (end - start === 1 && isDigit(text.charCodeAt(start)));
}

/** GSM8K's own mark, the first one: `#### (-?[0-9.,]+)`. */
export const hashMark: Extract = first("#### ", numeral);

/** `The answer is (-?[0-9.,]+).`, the first one. The last dot is not escaped: it takes any character but a newline. */
export const answerIs: Extract = first("The answer is ", numeralAndOneMore);

/** `The answer is (-?[0-9.,]*[0-9]+)`, the first one, as self-consistency has it. */
export const answerIsNumber: Extract = first("The answer is ", numeralToLastDigit);

/** `The final answer is ((-?[$0-9.,]{2,})|(-?[0-9]+))`, the last one. */
export const finalAnswerIs: Extract = last("The final answer is ", moneyOrDigit);

/** `final answer is (-?[0-9.,]+)`, the last one, as Llama's own evaluation has it. */
export const finalAnswerIsNumeral: Extract = last("final answer is ", numeral);

/**
 * The last thing that looks like a number: the last match of `(-?[$0-9.,]{2,})|(-?[0-9]+)`, which may be `...` or `$.`.
 *
 * Matches cannot overlap and a minus sign belongs to no run, so the last match is the last run that holds an answer.
 */
export const lastNumber: Extract = (text) => {
  let end = text.length;
  while (end > 0) {
    if (!isMoney(text.charCodeAt(end - 1))) {
      end--;
      continue;
    }
    let start = end - 1;
    while (start > 0 && isMoney(text.charCodeAt(start - 1))) start--;
    if (isAnswerRun(text, start, end)) {
      const signed = start > 0 && text.charCodeAt(start - 1) === MINUS;
      return text.slice(signed ? start - 1 : start, end);
    }
    end = start;
  }
  return null;
};
