/** A calculator mark `<<expression=value>>` of a worked solution. */
export interface Mark {
  readonly expression: string;
  readonly value: number;
  /** Line of the answer it stands on, from 1. */
  readonly line: number;
}

// Longer or deeper than any sane mark; bounds the time and the stack that a hostile text can cost.
const LONGEST_MARK = 200;
const DEEPEST_NESTING = 32;

/** An exact fraction; `den` is positive. */
interface Rational {
  readonly num: bigint;
  readonly den: bigint;
}

/**
 * The marks of an answer, in order, after checking that each is true in exact arithmetic. Expressions hold decimals,
 * `+ - * /`, parentheses and signs, no spaces. An Error names the first mark that is malformed or wrong, and its line.
 */
export function evaluateMarks(answer: string): { marks: Mark[] } {
  const marks: Mark[] = [];
  let line = 0;
  for (const text of answer.split("\n")) {
    line++;
    for (let open = text.indexOf("<<"); open !== -1;) {
      const close = text.indexOf(">>", open);
      if (close === -1) throw new Error(`line ${line}: a mark is not closed: ${text.slice(open, open + 40)}`);
      marks.push(checkedMark(text.slice(open + 2, close), line));
      open = text.indexOf("<<", close + 2);
    }
  }
  return { marks };
}

/** The value of an expression, exactly; an Error when it is malformed or divides by zero. */
export function evaluateExpression(expression: string): number {
  return toNumber(new Parser(expression).parse());
}

function checkedMark(text: string, line: number): Mark {
  const mark = `<<${text.length > 60 ? `${text.slice(0, 60)}...` : text}>>`;
  const wrong = (what: string): Error => new Error(`line ${line}: mark ${mark} ${what}`);
  if (text.length > LONGEST_MARK) throw wrong(`is longer than ${LONGEST_MARK} characters`);
  const equals = text.indexOf("=");
  if (equals <= 0 || equals !== text.lastIndexOf("=")) throw wrong("is not of the form <<expression=value>>");
  const expression = text.slice(0, equals);
  const stated = text.slice(equals + 1);
  if (!/^-?(?:\d+\.?\d*|\.\d+)$/.test(stated)) throw wrong("has no number after =");
  let found: Rational;
  try {
    found = new Parser(expression).parse();
  } catch (cause) {
    throw new Error(`line ${line}: mark ${mark} ${(cause as Error).message}`, { cause });
  }
  const value = new Parser(stated).parse();
  if (found.num * value.den !== value.num * found.den) throw wrong(`is wrong: the value is ${toNumber(found)}`);
  return { expression, value: toNumber(value), line };
}

function toNumber({ num, den }: Rational): number {
  return num % den === 0n ? Number(num / den) : Number(num) / Number(den);
}

/** Recursive descent: sum of products of signed factors. */
class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    if (text.length > LONGEST_MARK) throw new Error(`is longer than ${LONGEST_MARK} characters`);
    this.#text = text;
  }

  parse(): Rational {
    const value = this.#sum();
    if (this.#at < this.#text.length) throw new Error(`has an unexpected ${JSON.stringify(this.#text[this.#at])}`);
    return value;
  }

  #take(choices: string): string | undefined {
    const char = this.#text[this.#at];
    if (char === undefined || !choices.includes(char)) return undefined;
    this.#at++;
    return char;
  }

  #sum(): Rational {
    let a = this.#product();
    for (let operator = this.#take("+-"); operator !== undefined; operator = this.#take("+-")) {
      const b = this.#product();
      const right = operator === "+" ? b.num : -b.num;
      a = { num: a.num * b.den + right * a.den, den: a.den * b.den };
    }
    return a;
  }

  #product(): Rational {
    let a = this.#factor();
    for (let operator = this.#take("*/"); operator !== undefined; operator = this.#take("*/")) {
      const b = this.#factor();
      if (operator === "*") a = { num: a.num * b.num, den: a.den * b.den };
      else if (b.num === 0n) throw new Error("divides by zero");
      else if (b.num < 0n) a = { num: -a.num * b.den, den: a.den * -b.num };
      else a = { num: a.num * b.den, den: a.den * b.num };
    }
    return a;
  }

  #factor(): Rational {
    if (this.#depth > DEEPEST_NESTING) throw new Error(`is nested deeper than ${DEEPEST_NESTING}`);
    const sign = this.#take("+-");
    if (sign !== undefined) {
      this.#depth++;
      const { num, den } = this.#factor();
      this.#depth--;
      return { num: sign === "-" ? -num : num, den };
    }
    if (this.#take("(") === undefined) return this.#decimal();
    this.#depth++;
    const inner = this.#sum();
    this.#depth--;
    if (this.#take(")") === undefined) throw new Error("lacks a closing parenthesis");
    return inner;
  }

  #decimal(): Rational {
    const whole = this.#digits();
    const decimals = this.#take(".") === undefined ? "" : this.#digits();
    if (whole + decimals === "") throw new Error("lacks a number");
    return { num: BigInt(whole + decimals), den: 10n ** BigInt(decimals.length) };
  }

  #digits(): string {
    const start = this.#at;
    while (this.#take("0123456789") !== undefined);
    return this.#text.slice(start, this.#at);
  }
}
