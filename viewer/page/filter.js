"use strict";
// Filter: which entries are looked for, in the words of the command line.

const FILTER_WORDS = "type=NAME  kind=NAME  item=ID  tool=NAME  cause=SEQ  playback=1500ms  problems  text~WORD  or any word";

class Filter {
  /** @param {string} text */
  constructor(text) {
    this.text = text.trim();
    /** @type {[string, string][]} by the index alone */
    this.columns = [];
    /** @type {string[]} what must be in the entry */
    this.words = [];
    this.alarming = false;
    /** @type {number | null} milliseconds of an item that were heard by then, at least */
    this.heardMs = null;
    this.wrong = "";
    for (const found of this.text.matchAll(/(?:[^\s"]+|"[^"]*"?)+/g)) {
      const word = found[0].replaceAll('"', "");
      const [, name, sign, value] = /^(\w+)([=~])(.*)$/.exec(word) || ["", "", "", ""];
      if (!sign) {
        if (word === "problems") this.alarming = true;
        else this.words.push(word.toLowerCase());
      } else if (sign === "=" && ["type", "kind", "cause"].includes(name)) this.columns.push([name, value]);
      else if (sign === "=" && (name === "item" || name === "tool")) this.words.push(JSON.stringify(value).slice(1, -1).toLowerCase());
      else if (sign === "=" && name === "playback" && /^[\d.]+m?s$/.test(value)) this.heardMs = parseFloat(value) * (value.endsWith("ms") ? 1 : 1000);
      else if (sign === "~" && name === "text") this.words.push(value.toLowerCase());
      else this.wrong = `${word} is no condition; there are ${FILTER_WORDS}`;
    }
  }

  get empty() {
    return !this.columns.length && !this.words.length && !this.alarming && this.heardMs === null;
  }

  /**
   * Places of the entries that match, some at a time, as they are found.
   * @param {Session} session
   * @param {() => boolean} wanted
   * @returns {AsyncGenerator<{places: number[], done: number}>}
   */
  async *search(session, wanted) {
    const size = session.facts.sizes.rows;
    for (let begin = 0; begin < session.length; begin += size) {
      const candidates = [];
      for (let place = begin; place < Math.min(begin + size, session.length); place++)
        if (this.indexMatches(session, place)) candidates.push(place);
      let places = candidates;
      if ((this.words.length || this.heardMs !== null) && candidates.length) {
        const rows = await session.rowBlocks.get(String(begin / size));
        if (!wanted()) return;
        places = candidates.filter((place) => {
          const [direction, title, playback, , content, , json] = rows[place % size];
          const text = `${direction} ${title} ${playback} ${content} ${json}`.toLowerCase();
          return this.words.every((word) => text.includes(word)) && this.hasHeard(json);
        });
      }
      if (places.length || begin % (size * 64) === 0) yield { places, done: begin / Math.max(session.length, 1) };
    }
    yield { places: [], done: 1 };
  }

  /** Whether so much was heard by an entry; it stands before the payload. @param {string} json */
  hasHeard(json) {
    if (this.heardMs === null) return true;
    const [, told] = /,"elapsed_ms":([^,]*),/.exec(json) || ["", "null"];
    return told !== "null" && Number(told) >= this.heardMs;
  }

  /** @param {Session} session @param {number} place */
  indexMatches(session, place) {
    if (this.alarming && !(session.marks.data[place] & MARK.alarming)) return false;
    for (const [name, value] of this.columns) {
      if (name === "cause") {
        if (String(session.cause.data[place]) !== value && String(session.of.data[place]) !== value) return false;
      } else {
        const column = name === "type" ? session.type : session.kind;
        if (session.names[column.data[place]] !== value) return false;
      }
    }
    return true;
  }
}
