/** One layer's ids, written one by one and read in stretches. */
import { readFully, writeFully } from "./file-bytes.ts";
import type { ScratchFile } from "./file-bytes.ts";

/** Ids before they are written: small, as there is one for each layer. */
const BUFFER_IDS = 2 ** 14;

export class LayerSpool {
  readonly #file: ScratchFile;
  readonly #buffer: Uint16Array = new Uint16Array(BUFFER_IDS);
  #filled = 0;
  #written = 0;

  constructor(file: ScratchFile) {
    this.#file = file;
  }

  /** @param id - of 16 bits */
  push(id: number): void {
    if (this.#filled === BUFFER_IDS) this.flush();
    this.#buffer[this.#filled++] = id;
  }

  flush(): void {
    const bytes = new Uint8Array(this.#buffer.buffer, 0, this.#filled * 2);
    writeFully(this.#file.fd, this.#written, bytes);
    this.#written += bytes.length;
    this.#filled = 0;
  }

  /** Ids `begin` up to, not including, `end`, all of them flushed. */
  read(begin: number, end: number): Uint16Array {
    const bytes = new Uint8Array((end - begin) * 2);
    readFully(this.#file.fd, "an unpacked capture", begin * 2, bytes);
    return new Uint16Array(bytes.buffer);
  }

  close(): void {
    this.#file.close();
  }
}
