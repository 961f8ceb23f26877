/** Shows a run's progress on stderr: a bar on a terminal, now and then a plain line elsewhere. */
import { Presets, SingleBar } from "cli-progress";
import type { Progress, ProgressState } from "../comparison/progress.ts";

/** Work shorter than this shows nothing. */
const PATIENCE_MS = 2000;
const PLAIN_INTERVAL_MS = 10_000;

export const SILENT: Progress = { start: () => () => {}, end: () => {} };

/** Choose by where stderr goes. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bars(stream) : plainLines(stream);
}

function bars(stream: NodeJS.WriteStream): Progress {
  let bar: SingleBar | undefined;
  const end = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    start(name) {
      end();
      const begun = performance.now();
      return ({ done, total, facts }) => {
        if (bar === undefined) {
          if (performance.now() - begun < PATIENCE_MS) return;
          const format = `${name} {bar} {value}/{total}  {facts}  {eta_formatted} left`;
          bar = new SingleBar({ format, stream, hideCursor: true, etaBuffer: 50, barsize: 24 }, Presets.shades_classic);
          bar.start(total, done, { facts: facts.join(", ") });
        }
        bar.update(done, { facts: facts.join(", ") });
      };
    },
    end,
  };
}

function plainLines(stream: NodeJS.WriteStream): Progress {
  let finish = (): void => {};
  return {
    start(name) {
      const begun = performance.now();
      let said = begun;
      let first: number | undefined;
      let latest: ProgressState | undefined;
      const say = (now: number): void => {
        if (latest === undefined) return;
        const { done, total, facts } = latest;
        const rate = (done - (first ?? 0)) / (now - begun);
        const left = rate > 0 && done < total ? [`${Math.ceil((total - done) / rate / 1000)} s left`] : [];
        const parts = [`${done}/${total}`, ...facts, `${Math.round((now - begun) / 1000)} s`, ...left];
        stream.write(`${name}: ${parts.join(", ")}\n`);
      };
      finish = () => {
        const now = performance.now();
        if (now - begun >= PATIENCE_MS) say(now);
        finish = () => {};
      };
      return (state) => {
        first ??= state.done - 1;
        latest = state;
        const now = performance.now();
        if (now - said < PLAIN_INTERVAL_MS) return;
        said = now;
        say(now);
      };
    },
    end: () => finish(),
  };
}
