// Audio: bytes of the client's format to PCM at the upstream's 24 kHz, as a stream.

export const UPSTREAM_RATE = 24000;

const ULAW = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
  return code & 0x80 ? -magnitude : magnitude;
});

const ALAW = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = byte ^ 0x55;
  const segment = (code & 0x70) >> 4;
  const base = ((code & 0x0f) << 4) + (segment ? 0x108 : 8);
  const magnitude = base << Math.max(segment - 1, 0);
  return code & 0x80 ? magnitude : -magnitude;
});

/** Converts a stream; a byte or a sample that lacks its neighbour waits for the next chunk. */
export class Converter {
  constructor(encoding = "linear16", rate = UPSTREAM_RATE) {
    this.table = { mulaw: ULAW, alaw: ALAW }[encoding];
    this.rate = rate;
    this.odd = Buffer.alloc(0);
    this.last = null; // the last sample of the chunk before
    this.position = 0; // where the next output sample lies, in input samples after `last`
  }

  /** How long so many bytes of the client last, in milliseconds. */
  milliseconds(bytes) {
    return (bytes / (this.table ? 1 : 2) / this.rate) * 1000;
  }

  convert(chunk) {
    if (!this.table) {
      chunk = Buffer.concat([this.odd, chunk]);
      this.odd = chunk.subarray(chunk.length & ~1);
      chunk = chunk.subarray(0, chunk.length & ~1);
      if (this.rate === UPSTREAM_RATE) return chunk;
    }
    const samples = this.table
      ? Int16Array.from(chunk, (byte) => this.table[byte])
      : Int16Array.from({ length: chunk.length / 2 }, (_, index) => chunk.readInt16LE(index * 2));
    return pack(this.rate === UPSTREAM_RATE ? samples : this.interpolate(samples));
  }

  /** Give out what waits for a next sample that will not come. */
  flush() {
    if (this.last === null || this.rate === UPSTREAM_RATE) return Buffer.alloc(0);
    const rest = this.interpolate(Int16Array.of(this.last));
    this.last = null;
    this.position = 0;
    return pack(rest);
  }

  interpolate(samples) {
    if (!samples.length) return [];
    const input = this.last === null ? samples : Int16Array.of(this.last, ...samples);
    const step = this.rate / UPSTREAM_RATE;
    const output = [];
    let at = this.position;
    for (; at < input.length - 1; at += step) {
      const left = Math.floor(at);
      output.push(Math.round(input[left] + (input[left + 1] - input[left]) * (at - left)));
    }
    this.position = at - (input.length - 1);
    this.last = input[input.length - 1];
    return output;
  }
}

function pack(samples) {
  const bytes = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => bytes.writeInt16LE(sample, index * 2));
  return bytes;
}
