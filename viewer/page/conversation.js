"use strict";
// Conversation: who said what, to be read; and the state of the conversation at the playhead.

class Conversation {
  /** @param {{seek: (ns: number) => void, choose: (seq: number) => void}} page */
  constructor(page) {
    this.page = page;
    this.box = make("div", "conversation");
    this.box.setAttribute("role", "log");
    this.box.setAttribute("aria-label", "Transcript");
    this.box.setAttribute("aria-live", "off");
    this.box.tabIndex = 0;
    /** @type {{beginNs: number, endNs: number, element: HTMLElement}[]} */
    this.parts = [];
    this.at = -1;
  }

  /** @param {Session} session */
  show(session) {
    this.parts = [];
    this.at = -1;
    const made = [];
    const story = session.facts.story;
    /** @type {any[]} */
    const all = [
      ...utterances(session).map((one) => ({ ...one, what: "said" })),
      ...story.tools.map((/** @type {any} */ call) => ({ what: "tool", beginNs: call.began_ns, endNs: call.ended_ns ?? call.began_ns, call })),
    ].sort((a, b) => a.beginNs - b.beginNs);
    /** @type {Map<number, any>} */
    const waits = new Map(story.latency.map((/** @type {any} */ one) => [one.turn, one]));
    for (const one of all) {
      const element = one.what === "tool" ? this.tool(one.call) : this.said(one, waits.get(one.turn));
      this.parts.push({ beginNs: one.beginNs, endNs: one.endNs, element });
      made.push(element);
    }
    fill(this.box, ...made);
    if (!made.length) this.box.append(make("p", "none", "Nobody said anything, as far as the log tells."));
  }

  /** @param {any} one @param {any} wait */
  said(one, wait) {
    const element = make("article", `said ${one.role}`);
    const head = make("header");
    const who = one.role === "user" ? "User" : "Model";
    const time = button("when", clockText(one.beginNs, 2), "Go there", () => {
      this.page.seek(one.beginNs);
      this.page.choose(one.seq);
    });
    fill(head, make("span", "who", who), time);
    const text = make("p", "words");
    text.dir = "auto";
    if (!one.text) fill(text, make("em", "", one.role === "user" ? "speech that nobody wrote down" : "sound without a transcript"));
    else if (one.unheard) {
      text.append(make("span", "", one.text.slice(0, one.text.length - one.unheard.length)));
      const lost = make("del", "", one.unheard);
      lost.title = "Generated, and not heard: an estimate, by the share of the sound";
      text.append(lost);
    } else text.textContent = visible(one.text, true);
    element.append(head, text);
    const notes = [];
    if (one.role === "user" && wait) {
      const ms = wait.played_ms ?? wait.first_sound_ms ?? wait.first_byte_ms;
      if (ms !== null) {
        const until = wait.played_ms !== null ? (wait.assumed ? "to sound, as is assumed" : "to sound played") : wait.first_sound_ms !== null ? "to first sound" : "to first byte";
        notes.push(`${lengthText(ms)} ${until}${wait.tool_ms > 0 ? `, ${lengthText(wait.tool_ms)} of it tools` : ""}`);
      }
    }
    if (one.heard) {
      const { generated_ms, heard_ms, interrupted, assumed } = one.heard;
      if (heard_ms === null) notes.push(`${lengthText(generated_ms)} generated; nobody tells how much was heard`);
      else if (heard_ms < generated_ms - 0.5)
        notes.push(`heard ${lengthText(heard_ms)} of ${lengthText(generated_ms)}${assumed ? ", as is assumed" : ""}${interrupted ? "; interrupted" : ""}`);
      for (const span of one.heard.stood)
        notes.push(`${span.doing === "waiting" ? "waited for more" : "paused"} for ${lengthText((span.end_ns - span.begin_ns) / 1e6)}, ${lengthText(span.to_ms)} in`);
      for (const odd of one.heard.discrepancies) notes.push(odd);
    }
    for (const note of notes) element.append(make("p", "note", note));
    return element;
  }

  /** @param {any} call */
  tool(call) {
    const element = make("article", "said tool");
    const head = make("header");
    const took = call.ended_ns === null ? "never answered" : lengthText((call.ended_ns - call.began_ns) / 1e6);
    const time = button("when", clockText(call.began_ns, 2), "Go there", () => {
      this.page.seek(call.began_ns);
      this.page.choose(call.seq);
    });
    fill(head, make("span", "who", "Tool"), time, make("span", "took", took));
    const text = make("p", "call");
    text.dir = "auto";
    text.append(make("code", "", `${call.name}(${call.arguments})`));
    if (call.output !== null) text.append(make("span", "gives", " → "), make("code", "", call.output));
    element.append(head, text);
    return element;
  }

  /** @param {number} ns @param {boolean} follow */
  mark(ns, follow) {
    let at = -1;
    this.parts.forEach((one, number) => {
      if (one.beginNs <= ns) at = number;
    });
    if (at === this.at) return;
    if (this.parts[this.at]) this.parts[this.at].element.classList.remove("now");
    this.at = at;
    const part = this.parts[at];
    if (!part) return;
    part.element.classList.add("now");
    if (follow) {
      const top = part.element.offsetTop;
      const { scrollTop, clientHeight } = this.box;
      if (top < scrollTop || top + part.element.offsetHeight > scrollTop + clientHeight)
        this.box.scrollTop = top - clientHeight / 3;
    }
  }
}

class StateView {
  /** @param {{choose: (seq: number) => void}} page */
  constructor(page) {
    this.page = page;
    this.box = make("div", "state");
    this.run = 0;
    this.place = -1;
  }

  /** @param {Session} session @param {number} place */
  async show(session, place) {
    if (place === this.place && session === this.session) return;
    this.place = place;
    this.session = session;
    const run = ++this.run;
    let state;
    try {
      state = await session.stateAt(place);
    } catch (error) {
      this.place = -1; // of a session that is still being read: it is asked again
      fill(this.box, make("p", "none", `Not known yet: ${error instanceof Error ? error.message : error}`));
      return;
    }
    if (run !== this.run) return;
    const facts = make("dl", "facts");
    const played = state.played;
    const plays = place ? playbackAt(session, session.at.data[place - 1]) : "nothing plays";
    /** @type {[string, string][]} */
    const told = [
      ["turn", String(state.turn)],
      ["entries", countText(place)],
      [
        "heard",
        played ? `${played.assumed ? "~" : ""}${lengthText(played.elapsed_ms)} of ${shortId(played.item_id)}` : "nothing",
      ],
      ["playback", plays],
      ["open calls", state.open.length ? state.open.map((/** @type {any} */ call) => `${call.name}(${call.arguments})`).join("\n") : "none"],
    ];
    for (const [name, value] of told) facts.append(make("dt", "", name), make("dd", "", value));
    const history = make("ol", "history");
    for (const [id, role, text, status] of state.history) {
      const item = make("li");
      fill(item, make("span", ["user", "tool"].includes(role) ? `role ${role}` : "role", role), make("span", "text", text || "…"), make("span", "status", status === "completed" ? "" : status), make("span", "id", shortId(id)));
      history.append(item);
    }
    fill(this.box, make("h4", "", "At the playhead"), facts, make("h4", "", "History"), history);
    if (!state.history.length) this.box.append(make("p", "none", "empty"));
    this.box.append(make("h4", "", "Settings"));
    if (!state.settings) return void this.box.append(make("p", "none", "nobody has told any"));
    const { seq, told_by, json } = state.settings;
    const who = told_by === "server" ? "as the server says" : "as the application asked; the log has no answer";
    const line = make("p", "told", `${who} `);
    line.append(button("there", `#${seq}`, "Go to this entry", () => this.page.choose(seq)));
    this.box.append(line, jsonText(json));
  }
}
