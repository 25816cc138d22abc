"use strict";
// Detail: one entry with all that it holds, its sound, and the chain of causes both ways; and the state there.

/**
 * JSON, indented, as it was written: numbers keep their digits, and texts are coloured.
 * @param {string} text
 */
function jsonText(text) {
  const shown = make("pre", "json");
  let depth = 0;
  let plain = "";
  const flush = () => {
    if (plain) shown.append(document.createTextNode(plain));
    plain = "";
  };
  const line = () => (plain += "\n" + "  ".repeat(Math.min(depth, 40)));
  for (const found of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\],]|[^\s{}[\],"]+/g)) {
    const token = found[0];
    if (token === "{" || token === "[") {
      const rest = text.slice((found.index || 0) + 1, (found.index || 0) + 3).trimStart();
      plain += token;
      depth++;
      if (rest[0] !== "}" && rest[0] !== "]") line();
    } else if (token === "}" || token === "]") {
      depth--;
      const before = text.slice(0, found.index).trimEnd().slice(-1);
      if (before !== "{" && before !== "[") line();
      plain += token;
    } else if (token === ",") {
      plain += token;
      line();
    } else if (token[0] === '"') {
      flush();
      if (found[1] !== undefined) {
        shown.append(make("span", "key", unescaped(token.replace(/\s*:$/, ""))));
        plain = ": ";
      } else shown.append(make("span", "string", unescaped(token)));
    } else {
      flush();
      shown.append(make("span", "atom", token));
    }
  }
  flush();
  return shown;
}

/** A text as JSON writes it, but with letters of all languages as they are. @param {string} token */
function unescaped(token) {
  try {
    return JSON.stringify(JSON.parse(token));
  } catch {
    return token;
  }
}

class Detail {
  /**
   * @param {{choose: (place: number, session: Session) => void, play: (fromNs: number, toNs: number) => void,
   *   store: (session: Session) => {store: string | null, id: string}, select: () => [number, number] | null, told: (text: string) => void}} page
   */
  constructor(page) {
    this.page = page;
    this.box = make("div", "detail");
    this.run = 0;
    this.place = -1;
    this.clear();
  }

  /** No entry is chosen. */
  clear() {
    this.run++;
    this.place = -1;
    fill(this.box, make("p", "none", "Choose an entry: all that it holds is shown here, and because of what it happened."));
  }

  /** @param {Session} session @param {number} place */
  async show(session, place) {
    const run = ++this.run;
    this.place = place;
    const row = await session.row(place);
    if (run !== this.run) return;
    const seq = session.seq.data[place];
    const { entry, payload } = entryOf(row.json);
    const head = make("div", "detail-head");
    fill(
      head,
      make("span", "detail-seq", "#" + seq),
      make("h3", "", `${row.direction} ${row.title}`),
      make("span", "time", clockText(session.at.data[place], 6)),
    );
    const facts = make("dl", "facts");
    /** @param {string} name @param {unknown} value */
    const fact = (name, value) => {
      if (value === null || value === undefined || value === "") return;
      facts.append(make("dt", "", name), make("dd", "", value));
    };
    fact("kind", entry.kind);
    fact("method", entry.method);
    fact("task", entry.task);
    fact("tick", entry.tick);
    fact("connection", entry.connection);
    fact("heard", row.playback);
    const flags = [];
    if (entry.flags & 1) flags.push("playback is assumed");
    if (entry.flags & 2) flags.push("redacted");
    if (entry.flags & 4) flags.push("its cause was lost");
    if (entry.flags & 8) flags.push("a value was described, not kept");
    fact("marks", flags.join(", "));
    if (session.marks.data[place] & MARK.derived) fact("derived", "what the frame before it comes to");
    const sound = session.soundOf(seq);
    const tools = make("div", "buttons");
    if (sound && session.facts.sound.kept !== "none") {
      const { stretch, from, to } = sound;
      const perSample = (stretch.end_ns - stretch.begin_ns) / (stretch.length / sampleBytes(stretch));
      const [low, high] = [from, to].map((sample) => stretch.begin_ns + sample * perSample);
      const ms = ((to - from) / stretch.rate_hz) * 1000;
      tools.append(button("", `▶ ${lengthText(ms)} of sound`, "Play what this entry brought", () => this.page.play(low, high)));
    }
    tools.append(
      button("", "Copy JSON", "The entry as `realtape show --json` prints it (J)", () => this.copy("json", session)),
      button("", "Copy link", "A link to this entry in this page (L)", () => this.copy("link", session)),
      button("", "Copy Markdown", "What happened around it, for an issue (Y)", () => this.copy("markdown", session)),
      button("", "Copy command", "How to cut this out of the store (X)", () => this.copy("command", session)),
    );
    const content = make("p", "detail-content", row.content);
    const chain = make("div", "chain");
    fill(this.box, head, content, facts, tools, chain, make("h4", "", "The entry"), jsonText(payload));
    this.box.scrollTop = 0;
    await this.showChain(session, place, chain, run);
  }

  /** Causes above, effects below. @param {Session} session @param {number} place @param {HTMLElement} chain @param {number} run */
  async showChain(session, place, chain, run) {
    /** @type {{place: number, role: string, depth: number}[]} */
    const steps = [];
    const above = [];
    let one = place;
    for (let far = 0; far < 12; far++) {
      const cause = session.cause.data[one];
      const before = cause >= 0 ? session.placeOf(cause) : -1;
      if (before < 0 || before >= one) break;
      above.push(before);
      one = before;
    }
    const ends = session.of.data[place];
    above.reverse().forEach((before) => steps.push({ place: before, role: roleOf(session, before, "because of"), depth: 0 }));
    if (ends >= 0 && !above.includes(session.placeOf(ends))) steps.push({ place: session.placeOf(ends), role: "ends", depth: 0 });
    steps.push({ place, role: "this", depth: 0 });
    const below = session.followersOf(place);
    for (const after of below.slice(0, 40)) {
      const ends = session.of.data[after] === session.seq.data[place];
      steps.push({ place: after, role: ends ? "ended by" : roleOf(session, after, "so"), depth: 1 });
    }
    const rows = await Promise.all(steps.map((step) => session.row(step.place)));
    if (run !== this.run) return;
    if (steps.length < 2) return;
    const list = make("ol", "chain-list");
    steps.forEach((step, number) => {
      const row = rows[number];
      const item = make("li", step.role === "this" ? "here" : step.depth ? "after" : "before");
      const link = button("step", "", "Go to this entry", () => this.page.choose(step.place, session));
      link.removeAttribute("aria-label");
      fill(
        link,
        make("span", "role", step.role === "this" ? "" : step.role),
        make("span", "seq", "#" + session.seq.data[step.place]),
        make("span", "title", `${row.direction} ${row.title}`),
        make("span", "content", row.content),
      );
      item.append(link);
      list.append(item);
    });
    fill(chain, make("h4", "", "Because of what, and then"), list);
    if (below.length > 40) chain.append(make("p", "none", `and ${countText(below.length - 40)} more that it caused`));
  }

  /** The entry that this one was caused by, or that it caused first. @param {Session} session @param {boolean} up */
  jump(session, up) {
    if (this.place < 0) return;
    let next = -1;
    if (up) {
      const cause = session.cause.data[this.place];
      const ends = session.of.data[this.place];
      next = session.placeOf(cause >= 0 ? cause : ends);
    } else next = session.followersOf(this.place)[0] ?? -1;
    if (next >= 0) this.page.choose(next, session);
    else this.page.told(up ? "Nothing caused this entry" : "This entry caused nothing");
  }

  /** @param {"json" | "link" | "markdown" | "command"} what @param {Session} session */
  async copy(what, session) {
    const place = this.place;
    const range = this.page.select();
    if (place < 0 && !(range && (what === "markdown" || what === "command"))) return this.page.told("Choose an entry first");
    const seq = place < 0 ? 0 : session.seq.data[place];
    let text = "";
    if (what === "json") text = (await session.row(place)).json;
    else if (what === "link") {
      const t = `?t=${(session.at.data[place] / SECOND).toFixed(3)}s`;
      text = location.href.replace(/[?#].*$/, "") + t + linkOf(session, seq);
    } else if (what === "command") {
      const { store, id } = this.page.store(session);
      if (store === null) return this.page.told("This session lies in no store: a replay was recorded for this page alone");
      const name = `${store}#${id}`;
      const bounds = range
        ? `--from ${Math.floor(range[0] / 1e3) / 1e3}ms --to ${Math.ceil(range[1] / 1e3) / 1e3}ms`
        : `--from ${seq} --to ${seq}`;
      text = `realtape trim '${name.replaceAll("'", "'\\''")}' part.db ${bounds}`;
    } else text = await markdown(session, place, range);
    if (!(await copyText(text))) return this.page.told("This browser lets nothing be copied here");
    this.page.told({ json: "The entry is copied", link: "The link is copied", command: "The command is copied", markdown: "Markdown is copied" }[what]);
    this.copied = text;
  }
}

/** What follows the page's address where it names an entry. @param {Session} session @param {number} seq */
function linkOf(session, seq) {
  return `#${encodeURIComponent(session.facts.id.toWellFormed())}/${seq}`;
}

/** @param {Session} session @param {number} place @param {string} otherwise */
function roleOf(session, place, otherwise) {
  const kind = session.names[session.kind.data[place]];
  return kind === "frame_in" || kind === "frame_out" ? "the frame beneath" : otherwise;
}

/**
 * The columns of an entry, and the payload among them to the letter: a number in it may be one that JavaScript has not.
 * @param {string} json
 */
function entryOf(json) {
  // "payload" stands before "flags" and "digest", which are a number and hexadecimal.
  const begin = json.indexOf(',"payload":') + 11;
  const end = json.lastIndexOf(',"flags":');
  return { entry: JSON.parse(json.slice(0, begin) + "null" + json.slice(end)), payload: json.slice(begin, end) };
}

/** Order of events as Markdown, for an issue. @param {Session} session @param {number} place @param {[number, number] | null} range */
async function markdown(session, place, range) {
  let from = Math.max(place - 8, 0);
  let to = Math.min(place + 9, session.length);
  if (range) [from, to] = [session.placeAt(range[0] - 1), Math.min(session.placeAt(range[1]), session.placeAt(range[0] - 1) + 400)];
  const cell = (/** @type {unknown} */ text) => visible(text).replaceAll("\\", "\\\\").replace(/([`*_{}[\]<>|~#!&@])/g, "\\$1");
  const lines = ["| # | time | | type | content |", "|--:|--:|---|---|---|"];
  for (let one = from; one < to; one++) {
    const row = await session.row(one);
    const here = one === place ? "**" : "";
    lines.push(
      `| ${here}${session.seq.data[one]}${here} | ${clockText(session.at.data[one])} | ${row.direction} | ${cell(row.title)} | ${cell(row.content)} |`,
    );
  }
  return `Session \`${session.facts.id}\`\n\n${lines.join("\n")}\n`;
}

/** Whether it is copied. @param {string} text */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const field = make("textarea", "aside");
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (focused instanceof HTMLElement) focused.focus(); // who goes by keys stays where he is
    return copied;
  }
}
