"use strict";
// List: the entries, of which only those are there that are seen; a million is as quick as ten.

const ROW_HEIGHT = 24;
const MOST_HEIGHT = 8e6; // browsers lose count far above

class List {
  /** @param {{choose: (place: number) => void, told: (text: string) => void}} page */
  constructor(page) {
    this.page = page;
    /** @type {Session | null} */
    this.session = null;
    /** @type {"lines" | "entries" | "found"} */
    this.mode = "lines";
    this.filter = new Filter("");
    /** @type {number[]} */
    this.found = [];
    this.run = 0;
    this.active = 0;
    /** @type {number} seq of the chosen entry */
    this.chosen = -1;
    this.at = -1; // the place of the playhead
    this.lineSeqs = new Column(Int32Array);
    this.box = make("div", "list");
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "listbox");
    this.box.setAttribute("aria-label", "Entries");
    this.inside = make("div", "list-inside");
    this.box.append(this.inside);
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.waiting = false;
  }

  /** @param {Session} session */
  setSession(session) {
    this.session = session;
    this.lineSeqs = new Column(Int32Array);
    this.search(this.filter.text);
    void this.readLines();
  }

  /** Learn which entry each line begins with. */
  async readLines() {
    const session = this.session;
    if (!session) return;
    const size = session.facts.sizes.lines;
    while (session === this.session && this.lineSeqs.length < session.facts.lines) {
      const number = Math.floor(this.lineSeqs.length / size);
      const begin = this.lineSeqs.length % size;
      if (begin) session.lineBlocks.forget(String(number));
      const block = await session.lineBlocks.get(String(number));
      if (session !== this.session || block.length <= begin) return;
      this.lineSeqs.add(block.slice(begin).map((/** @type {any[]} */ line) => line[0]));
      this.draw();
    }
  }

  /** @param {boolean} all every entry, or lines in which bursts are folded */
  setAll(all) {
    this.mode = this.filter.empty ? (all ? "entries" : "lines") : "found";
    this.all = all;
    this.draw();
    this.reveal();
  }

  /** @param {string} text */
  search(text) {
    this.filter = new Filter(text);
    const run = ++this.run;
    this.found = [];
    this.mode = this.filter.empty ? (this.all ? "entries" : "lines") : "found";
    this.page.told(this.filter.wrong || "");
    this.draw();
    if (this.filter.wrong || !this.session) return;
    if (this.filter.empty) return this.tell();
    void this.gather(this.session, run);
  }

  /** @param {Session} session @param {number} run */
  async gather(session, run) {
    const wanted = () => this.run === run && this.session === session;
    let last = 0;
    for await (const { places, done } of this.filter.search(session, wanted)) {
      if (!wanted()) return;
      this.found.push(...places);
      const now = performance.now();
      if (now - last > 120 || done === 1) {
        last = now;
        this.page.told(`${countText(this.found.length)} found${done < 1 ? `, ${Math.round(done * 100)} % searched` : ""}`);
        this.draw();
        await new Promise((next) => setTimeout(next));
      }
    }
  }

  tell() {
    if (!this.session || this.mode === "found") return;
    const { entries, lines } = this.session.facts;
    this.page.told(
      this.mode === "entries" ? numberText(entries, "entry", "entries") : `${numberText(entries, "entry", "entries")} on ${numberText(lines, "line", "lines")}`,
    );
  }

  get count() {
    if (!this.session) return 0;
    if (this.mode === "found") return this.found.length;
    return this.mode === "entries" ? this.session.facts.entries : this.session.facts.lines;
  }

  /** The seq of a row, where it is known. @param {number} row */
  seqOf(row) {
    if (!this.session) return -1;
    if (this.mode === "lines") return row < this.lineSeqs.length ? this.lineSeqs.data[row] : -1;
    const place = this.mode === "found" ? this.found[row] : row;
    return place < this.session.length ? this.session.seq.data[place] : -1;
  }

  /** The last row that is not behind an entry. @param {number} seq */
  rowOf(seq) {
    let low = 0;
    let high = { lines: this.lineSeqs.length, entries: this.session ? this.session.length : 0, found: this.found.length }[this.mode];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.seqOf(middle) <= seq) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** @param {number} seq */
  choose(seq) {
    this.chosen = seq;
    const row = this.rowOf(seq);
    if (row >= 0) this.active = row;
    this.reveal();
  }

  reveal() {
    if (this.chosen >= 0) this.scrollTo(this.rowOf(this.chosen));
    this.draw();
  }

  /** What the playhead has come to. @param {number} seq @param {boolean} follow @param {boolean} [again] also where it was there before */
  mark(seq, follow, again = false) {
    const row = this.rowOf(seq);
    if (row === this.at && !again) return;
    this.at = row;
    if (follow) this.scrollTo(row);
    this.draw();
  }

  // --- scrolling ----------------------------------------------------------------------------------------

  get scale() {
    return Math.max((this.count * ROW_HEIGHT) / MOST_HEIGHT, 1);
  }

  /** As high as all rows are: a browser scrolls no further than what is there; where it is scrolled to the end, the last row is. */
  stretch() {
    const seen = Math.min(this.box.clientHeight, this.count * ROW_HEIGHT);
    this.inside.style.height = `${Math.max((this.count * ROW_HEIGHT - seen) / this.scale + seen, 1)}px`;
  }

  /** @param {number} row */
  scrollTo(row) {
    this.stretch();
    // Of very many rows the bar is shorter than they are: where one is seen, all of this is in its measure.
    const [height, rowHeight] = [this.box.clientHeight / this.scale, ROW_HEIGHT / this.scale];
    const top = row * rowHeight;
    const first = this.box.scrollTop;
    if (top < first + rowHeight || top > first + height - 2 * rowHeight)
      this.box.scrollTop = Math.max(top - height / 3, 0);
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }

  paint() {
    const session = this.session;
    if (!session) return;
    const count = this.count;
    this.stretch();
    const scale = this.scale;
    const top = this.box.scrollTop;
    const first = Math.max(Math.floor((top * scale) / ROW_HEIGHT) - 4, 0);
    const last = Math.min(first + Math.ceil(this.box.clientHeight / ROW_HEIGHT) + 9, count);
    const rows = [];
    for (let row = first; row < last; row++) {
      const element = this.row(session, row);
      const y = scale === 1 ? row * ROW_HEIGHT : top + (row * ROW_HEIGHT - top * scale);
      element.style.transform = `translateY(${y}px)`;
      rows.push(element);
    }
    fill(this.inside, ...rows);
    if (!count) {
      const why = this.filter.empty ? "No entries" : this.filter.wrong ? "" : "Nothing matches";
      this.inside.append(make("p", "none", why));
    }
    const active = this.inside.querySelector(".active");
    if (active) this.box.setAttribute("aria-activedescendant", active.id);
  }

  /** @param {Session} session @param {number} row */
  row(session, row) {
    const element = make("div", "row");
    element.id = `row-${row}`;
    element.setAttribute("role", "option");
    element.setAttribute("aria-setsize", String(this.count));
    element.setAttribute("aria-posinset", String(row + 1));
    let seq = -1;
    let atNs = 0;
    let count = 1;
    /** @type {EntryRow | undefined} */
    let told;
    if (this.mode === "lines") {
      const size = session.facts.sizes.lines;
      const number = String(Math.floor(row / size));
      const block = session.lineBlocks.now(number);
      if (!block) void session.lineBlocks.get(number).then(() => this.draw());
      else if (block[row % size]) {
        const [first, at, many, , ...rest] = block[row % size];
        [seq, atNs, count, told] = [first, at, many, new EntryRow(rest)];
      }
    } else {
      const place = this.mode === "found" ? this.found[row] : row;
      if (place < session.length) [seq, atNs] = [session.seq.data[place], session.at.data[place]];
      told = session.rowNow(place);
      if (told && seq < 0) [seq, atNs] = told.place;
      if (!told) void session.row(place).then(() => this.draw());
    }
    const chosen = seq >= 0 && this.rowOf(this.chosen) === row && this.chosen >= 0;
    element.setAttribute("aria-selected", String(chosen));
    if (row === this.active) element.classList.add("active");
    if (chosen) element.classList.add("chosen");
    if (row === this.at) element.classList.add("now");
    if (!told) {
      element.append(make("span", "seq", seq < 0 ? "" : seq), make("span", "content", "…"));
      return element;
    }
    if (told.alarming) element.classList.add("alarming");
    if (count > 1) element.classList.add("burst");
    const side = { "◀": "in", "▶": "out", "◁": "in", "▷": "out" }[/** @type {string} */ (told.direction)];
    element.append(
      make("span", "seq", seq),
      make("span", "time", clockText(atNs)),
      make("span", `arrow ${side || ""}`, told.direction),
      make("span", "title", told.title),
      make("span", "content", told.content),
      make("span", "cause", told.cause),
    );
    element.addEventListener("click", () => {
      this.active = row;
      this.page.choose(this.mode === "entries" ? row : session.placeOf(seq));
    });
    return element;
  }

  /** @param {number} by */
  move(by) {
    if (!this.session || !this.count) return;
    this.active = Math.min(Math.max(this.active + by, 0), this.count - 1);
    const seq = this.seqOf(this.active);
    this.scrollTo(this.active);
    if (this.mode === "entries") this.page.choose(this.active);
    else if (seq >= 0) this.page.choose(this.session.placeOf(seq));
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const page = Math.max(Math.floor(this.box.clientHeight / ROW_HEIGHT) - 1, 1);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    this.move(by);
    event.preventDefault();
    event.stopPropagation();
  }
}
