/** Shows a run's progress on stderr: a bar on a terminal, now and then a plain line elsewhere. */
import { Presets, SingleBar } from "cli-progress";
import type { Progress, ProgressState } from "../comparison/progress.ts";
import { startPace } from "./pace.ts";
import type { Pace } from "./pace.ts";

/** Work shorter than this shows nothing. */
const PATIENCE_MS = 2000;
/** A bar's times go on even while no doc ends. */
const BAR_INTERVAL_MS = 1000;
const PLAIN_INTERVAL_MS = 10_000;

export const SILENT: Progress = { start: () => () => {}, end: () => {}, note: () => {} };

/** Where progress is written; `process.stderr` is one. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** Choose by where stderr goes. */
export function progressOn(stream: ProgressStream): Progress {
  return {
    ...showing(stream.isTTY === true ? barOn(stream) : linesOn(stream)),
    note: (text) => stream.write(`${text}\n`),
  };
}

/** One way of showing a stretch of work: its first sight of it comes after PATIENCE_MS. */
interface Display {
  readonly intervalMs: number;
  show(name: string, state: ProgressState, pace: Pace): void;
  /** What else to show each time a doc ends, once the first sight was given. */
  update(name: string, state: ProgressState, pace: Pace): void;
  end(name: string, state: ProgressState, pace: Pace): void;
}

function showing(display: Display): Pick<Progress, "start" | "end"> {
  let finish = (): void => {};
  return {
    start(name) {
      finish();
      let latest: ProgressState | undefined;
      let shown = false;
      const pace = startPace();
      const tick = (): void => {
        if (latest === undefined) return;
        shown = true;
        display.show(name, latest, pace);
      };
      let timer = setTimeout(() => {
        tick();
        timer = setInterval(tick, display.intervalMs).unref();
      }, PATIENCE_MS).unref();
      finish = () => {
        clearTimeout(timer);
        if (shown && latest !== undefined) display.end(name, latest, pace);
        finish = () => {};
      };
      return (state) => {
        latest = state;
        pace.count(state.done);
        if (shown) display.update(name, state, pace);
      };
    },
    end: () => finish(),
  };
}

function barOn(stream: ProgressStream): Display {
  let bar: SingleBar | undefined;
  const show = (name: string, { done, total, facts }: ProgressState, pace: Pace): void => {
    const details = [...facts, ...pace.words(done, total)].join(", ");
    if (bar === undefined) {
      const format = `${name} {bar} {value}/{total}  {details}`;
      bar = new SingleBar({ format, stream, hideCursor: true, barsize: 24 }, Presets.shades_classic);
      bar.start(total, done, { details });
    } else bar.update(done, { details });
  };
  return {
    intervalMs: BAR_INTERVAL_MS,
    show,
    update: show,
    end(name, state, pace) {
      show(name, state, pace);
      bar?.stop();
      bar = undefined;
    },
  };
}

function linesOn(stream: ProgressStream): Display {
  const show = (name: string, { done, total, facts }: ProgressState, pace: Pace): void => {
    stream.write(`${name}: ${[`${done}/${total}`, ...facts, ...pace.words(done, total)].join(", ")}\n`);
  };
  return { intervalMs: PLAIN_INTERVAL_MS, show, update: () => {}, end: show };
}
