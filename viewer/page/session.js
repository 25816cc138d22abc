"use strict";
// Session: one recorded session, as far as it was read. A place is the number of an entry in it, from 0; where
// frames are followed by the events that they come to, that is not its seq.

/** Marks of an entry in the index. */
const MARK = { alarming: 1, sounds: 2, redacted: 4, assumed: 8, derived: 16 };

/** Blocks of the index that are asked for at once. */
const INDEX_AHEAD = 3;

/** Numbers that grow in number. @template {Float64Array | Int32Array | Uint16Array | Uint8Array} T */
class Column {
  /** @param {new (length: number) => T} kind */
  constructor(kind) {
    this.kind = kind;
    this.length = 0;
    this.data = new kind(1024);
  }

  /** @param {ArrayLike<number>} values */
  add(values) {
    if (this.length + values.length > this.data.length) {
      const grown = new this.kind(Math.max(this.data.length * 2, this.length + values.length));
      grown.set(this.data.subarray(0, this.length));
      this.data = grown;
    }
    this.data.set(values, this.length);
    this.length += values.length;
  }
}

class Session {
  /**
   * @param {EmbeddedBlocks | ServedBlocks} blocks
   * @param {string} key
   */
  constructor(blocks, key) {
    this.blocks = blocks;
    this.key = key;
    /** @type {any} what the session says */
    this.facts = null;
    this.at = new Column(Float64Array);
    this.seq = new Column(Int32Array);
    this.cause = new Column(Int32Array);
    this.of = new Column(Int32Array);
    this.kind = new Column(Uint16Array);
    this.type = new Column(Uint16Array);
    this.marks = new Column(Uint8Array);
    /** @type {string[]} */
    this.names = [];
    /** @type {Map<string, number>} */
    this.nameNumbers = new Map();
    /** @type {Map<number, number[]> | null} */
    this.followers = null;
    this.rowBlocks = new Recent(24, (number) => this.json(`rows/${number}`));
    this.lineBlocks = new Recent(32, (number) => this.json(`lines/${number}`));
    this.stateBlocks = new Recent(8, (number) => this.json(`states/${number}`));
    this.soundBlocks = new Recent(24, (name) => this.soundBlock(name));
    /** @type {Record<string, Int8Array>} */
    this.peaks = { user: new Int8Array(), model: new Int8Array() };
  }

  /** @param {string} name */
  json(name) {
    return this.blocks.json(`${this.key}/${name}`);
  }

  /** Read what the session says, and how its sound looks. */
  async open() {
    this.facts = await this.json("session");
    if (this.facts.sound.kept !== "none")
      for (const lane of ["user", "model"]) {
        const bytes = await this.blocks.bytes(`${this.key}/peaks/${lane}`);
        this.peaks[lane] = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      }
  }

  /** Sound as it was recorded, or as near to it as what it was packed by leaves it. @param {string} name */
  async soundBlock(name) {
    const bytes = await this.blocks.bytes(`${this.key}/sound/${name}`);
    const [lane, number] = name.split("/");
    const coded = this.facts.sound.coded[lane][Number(number)];
    if (!coded) return bytes;
    const { block, lanes } = this.facts.sound;
    const last = lanes[lane].at(-1);
    return decoded(bytes, coded.rate_hz, Math.min(block, last.at + last.length - Number(number) * block));
  }

  /** Forget the blocks that were not full: there may be more in them now. */
  forgetTail() {
    const { sizes, lines } = this.facts;
    this.rowBlocks.forget(String(Math.floor(this.length / sizes.rows)));
    this.lineBlocks.forget(String(Math.floor(lines / sizes.lines)));
    this.stateBlocks.forget(String(Math.floor(this.length / sizes.states)));
    this.soundBlocks.clear();
  }

  /** How many entries the index knows. */
  get length() {
    return this.at.length;
  }

  get durationNs() {
    let end = this.facts.duration_ns;
    for (const lane of Object.values(this.facts.sound.lanes))
      for (const one of lane) end = Math.max(end, one.heard_until_ns || 0, one.part ? 0 : one.end_ns);
    return Math.max(end, 1e6);
  }

  /**
   * Read the index on; what it knew of a block that was not full is read again.
   * @param {() => void} [told] called after each block
   */
  async readIndex(told) {
    const size = this.facts.sizes.index;
    /** @type {Map<number, Promise<any>>} */
    const asked = new Map();
    while (this.length < this.facts.entries) {
      const number = Math.floor(this.length / size);
      // The next are on their way while this one is taken in.
      for (let one = number; one < number + INDEX_AHEAD && one * size < this.facts.entries; one++) {
        if (asked.has(one)) continue;
        const coming = this.json(`index/${one}`);
        coming.catch(() => {}); // who waits for it is told
        asked.set(one, coming);
      }
      const block = await asked.get(number);
      asked.delete(number);
      const begin = this.length % size;
      const numbers = block.names.map((/** @type {string} */ name) => this.nameNumber(name));
      /** @param {number[]} values */
      const rest = (values) => (begin ? values.slice(begin) : values);
      /** @param {number} one */
      const known = (one) => numbers[one];
      if (block.at.length <= begin) break;
      this.at.add(rest(block.at));
      this.seq.add(rest(block.seq));
      this.cause.add(rest(block.cause));
      this.of.add(rest(block.of));
      this.kind.add(rest(block.kind).map(known));
      this.type.add(rest(block.type).map(known));
      this.marks.add(rest(block.marks));
      this.followers = null;
      if (told) told();
    }
  }

  /** @param {string} name */
  nameNumber(name) {
    let number = this.nameNumbers.get(name);
    if (number === undefined) {
      number = this.names.length;
      this.names.push(name);
      this.nameNumbers.set(name, number);
    }
    return number;
  }

  /** The place of an entry. @param {number} seq */
  placeOf(seq) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.seq.data[middle] < seq) low = middle + 1;
      else high = middle;
    }
    return low < this.length && this.seq.data[low] === seq ? low : -1;
  }

  /** How many entries had happened by then. @param {number} ns */
  placeAt(ns) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at.data[middle] <= ns) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Places of what an entry caused, or what ends it. @param {number} place */
  followersOf(place) {
    if (!this.followers) {
      this.followers = new Map();
      for (let one = 0; one < this.length; one++) {
        const before = new Set([this.cause.data[one], this.of.data[one]]);
        for (const seq of before) {
          if (seq < 0) continue;
          const known = this.followers.get(seq);
          if (known) known.push(one);
          else this.followers.set(seq, [one]);
        }
      }
    }
    return (this.followers.get(this.seq.data[place]) || []).filter((one) => one !== place);
  }

  /** An entry in words, and whole. @param {number} place */
  async row(place) {
    const size = this.facts.sizes.rows;
    return new EntryRow((await this.rowBlocks.get(String(Math.floor(place / size))))[place % size]);
  }

  /** The same, if it is here. @param {number} place */
  rowNow(place) {
    const size = this.facts.sizes.rows;
    const block = this.rowBlocks.now(String(Math.floor(place / size)));
    return block && block[place % size] ? new EntryRow(block[place % size]) : undefined;
  }

  /**
   * The state before the entry at a place: a whole state, and the patches up to there.
   * @param {number} place
   */
  async stateAt(place) {
    const size = this.facts.sizes.states;
    // A place behind the last of a block is told by that block's own last patch.
    const number = Math.max(Math.ceil(place / size) - 1, 0);
    const block = await this.stateBlocks.get(String(number));
    const state = { ...block.first, history: [...block.first.history] };
    for (const [at, patch] of block.patches) {
      if (at > place) break;
      if ("turn" in patch) state.turn = patch.turn;
      if ("played" in patch) state.played = patch.played;
      if ("open" in patch) state.open = patch.open;
      if ("settings" in patch) state.settings = patch.settings;
      if ("length" in patch) {
        for (const [index, ...item] of patch.items) state.history[index] = item;
        state.history.length = patch.length;
      }
    }
    return { ...state, settings: this.facts.settings.find((/** @type {any} */ one) => one.seq === state.settings) || null };
  }

  /** The piece of sound that an entry brought. @param {number} seq */
  soundOf(seq) {
    for (const name of ["user", "model"])
      for (const stretch of this.facts.sound.lanes[name]) {
        const index = stretch.seqs.indexOf(seq);
        if (index < 0) continue;
        const samples = stretch.length / sampleBytes(stretch);
        const to = index + 1 < stretch.begins.length ? stretch.begins[index + 1] : samples;
        return { lane: name, stretch, from: stretch.begins[index], to };
      }
    return null;
  }
}

/** An entry, or a line that stands for some. */
class EntryRow {
  /** @param {any[]} told */
  constructor(told) {
    const [direction, title, playback, cause, content, alarming, json] = told;
    /** @type {string} */
    this.direction = direction;
    /** @type {string} */
    this.title = title;
    /** @type {string} */
    this.playback = playback;
    /** @type {string} */
    this.cause = cause;
    /** @type {string} */
    this.content = content;
    /** @type {boolean} */
    this.alarming = alarming;
    /** @type {string} every column, as `realtape show --json` prints it; of a line there is none */
    this.json = json;
  }

  /** Its seq, and its instant: where the index was not read that far yet. */
  get place() {
    const [, seq, at] = /^\{"session":"[^"]*","seq":(\d+),"at_ns":(\d+),/.exec(this.json) || ["", "-1", "0"];
    return [Number(seq), Number(at)];
  }
}

/** @param {{encoding: string}} stretch */
function sampleBytes(stretch) {
  return stretch.encoding === "pcm16" ? 2 : 1;
}
