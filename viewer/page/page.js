"use strict";
// Page: puts the parts together, and says to each what another has done.

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];

/** @type {Record<string, string>} what a page says of its sound */
const KEPT = {
  "16k": "Sound is kept at 16 kHz, which is less than what was recorded; every time is as it was.",
  flac: "Sound is kept as FLAC: every sample as it was recorded.",
  opus: "Sound is kept as Opus, which is lossy: it sounds like what was recorded, and is not the same.",
  silence: "What was said aloud is not in this page: silence of the same length stands in its place.",
  none: "This page has no sound.",
};

class Page {
  /** @param {any} head @param {EmbeddedBlocks | ServedBlocks} blocks @param {number} pair @param {Side[]} sides one recording, or two */
  constructor(head, blocks, pair, sides) {
    this.head = head;
    this.blocks = blocks;
    this.pairs = pairsOf(head);
    this.pair = pair;
    this.sides = sides;
    this.side = sides[0];
    this.follows = true;
    this.pending = false;
    this.player = new Player(() => this.changed());
    this.range = new Sight(() => this.lanes && (this.lanes.draw(), this.showSelection()));
    this.lanes = new Lanes(this.range, {
      seek: (ns, side) => this.seekOn(ns, side),
      choose: (seq, side) => this.chooseOn(seq, side),
      now: () => this.side.toPage(this.player.now),
      plays: () => playbackAt(this.session, this.player.now),
      marks: () => this.pairs[this.pair].marks,
      chosen: () =>
        this.detail.place < 0 || this.session.length <= this.detail.place
          ? null
          : { side: this.side, ns: this.session.at.data[this.detail.place] },
    });
    this.list = new List({ choose: (place) => this.choose(place), told: (text) => (this.found.textContent = text) });
    this.detail = new Detail({
      choose: (place, session) => this.choose(place, session),
      play: (from, to) => {
        this.player.seek(from);
        this.player.play(to);
      },
      store: (session) => {
        const { store, id } = this.head.sessions.find((/** @type {any} */ one) => one.key === session.key);
        return { store, id };
      },
      select: () => this.selected,
      told: (text) => this.say(text),
    });
    this.conversation = new Conversation({ seek: (ns) => this.seek(ns), choose: (seq) => this.choose(this.session.placeOf(seq)) });
    this.state = new StateView({ choose: (seq) => this.choose(this.session.placeOf(seq)) });
    this.problems = new Problems((one) => this.goTo(one), (pair) => this.changePair(pair));
    this.help = new Help();
    this.found = make("span", "found");
    this.found.setAttribute("role", "status");
    this.filterField = make("input", "filter");
    this.said = make("div", "said-aloud");
    this.said.setAttribute("role", "status");
    this.root = /** @type {HTMLElement} */ (document.getElementById("page"));
    this.notices = make("div", "notices");
    this.beside = make("span", "beside");
    this.labels = make("div", "labels");
    this.allButton = button("toggle", "Every entry", "Every entry, or lines in which bursts are folded (V)", () => this.setAll(!this.list.all));
    this.entryTab = button("tab", "Entry", "The chosen entry", () => this.showTab("entry"));
    this.stateTab = button("tab", "State", "The conversation at the playhead", () => this.showTab("state"));
    this.who = make("div", "who");
    this.pick = make("select", "pick");
    this.sideButton = button("toggle", "A", "The other recording (B)", () => this.otherSide());
    this.followButton = button("toggle", "Follow", "Transcript and list go with the playhead (F)", () => this.setFollow(!this.follows));
    this.playButton = button("play", "▶", "Play, pause (Space)", () => this.player.toggle());
    this.clock = make("span", "clock", "0:00.000");
    this.total = make("span", "total");
    this.speedPick = make("select", "speed");
    this.skipButton = button("toggle", "Skip silence", "Skip where nothing that is heard sounds (K)", () => this.setSkips(!this.player.skips));
    this.selection = make("div", "selection");
    /** @type {Record<string, {mute: HTMLButtonElement, solo: HTMLButtonElement, volume: HTMLInputElement}>} */
    this.mixes = {};
    /** @type {HTMLElement[]} */
    this.panes = [];
    /** @type {HTMLButtonElement[]} */
    this.paneButtons = [];
    /** @type {"entry" | "state"} */
    this.tab = "entry";
    this.awaited = -1; // the place that was chosen before the index knew it
    this.changing = 0;
    this.linking = true; // the address was not followed yet: the index has not come to what it names
    /** @type {number | undefined} where a selection began */
    this.mark = undefined;
    this.typing = 0;
    this.silent = 0;
  }

  get session() {
    return this.side.session;
  }

  /** What is selected, on the clock of the side that is read. @returns {[number, number] | null} */
  get selected() {
    const range = this.range.selected;
    return range && [this.side.fromPage(range[0]), this.side.fromPage(range[1])];
  }

  /**
   * Open the sessions of a page, and build it.
   * @param {any} head @param {EmbeddedBlocks | ServedBlocks} blocks @param {string} wanted how the id of the one begins
   */
  static async opened(head, blocks, wanted) {
    const pairs = pairsOf(head);
    const known = head.sessions.find((/** @type {any} */ one) => wanted && isCalled(one, wanted));
    const pair = known ? pairWith(pairs, known.key) : head.comparison ? head.comparison.first : 0;
    const page = new Page(head, blocks, pair, await openedSides(blocks, pairs[pair]));
    page.build();
    page.showSession(true);
    page.root.setAttribute("aria-busy", "false");
    return page;
  }

  /** Read which entries there are; what is there already is shown meanwhile. */
  async readIndex() {
    await Promise.all(this.sides.map((side) => side.session.readIndex(() => this.indexed())));
    this.indexed();
  }

  indexed() {
    if (this.awaited >= 0 && this.awaited < this.session.length) this.choose(this.awaited);
    const { session } = this.linkedSide() || this.side;
    if (this.linking && session.length && session.seq.data[session.length - 1] >= linked().seq) void this.followLink();
    this.list.draw();
    this.lanes.draw();
    this.showPlace();
  }

  // --- building -----------------------------------------------------------------------------------------

  build() {
    const bar = this.buildBar();
    const mixer = this.buildMixer();
    const stage = make("section", "stage");
    stage.setAttribute("aria-label", "Lanes");
    const strip = make("div", "strip-box");
    strip.append(this.lanes.strip);
    const tracks = make("div", "tracks");
    fill(tracks, this.labels, this.lanes.box);
    fill(stage, strip, tracks, this.buildTransport(mixer));
    this.filterField.type = "search";
    this.filterField.placeholder = "Filter: tool=NAME, text~WORD, any word";
    this.filterField.setAttribute("aria-label", `Filter: ${FILTER_WORDS}`);
    this.filterField.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.list.search(this.filterField.value), 150);
    });
    const words = make("section", "pane words-pane");
    words.setAttribute("aria-label", "Conversation");
    fill(words, make("h2", "", "Conversation"), this.conversation.box);
    const list = make("section", "pane list-pane");
    list.setAttribute("aria-label", "Entries");
    const listHead = make("div", "pane-head");
    fill(listHead, make("h2", "", "Entries"), this.filterField, this.allButton);
    fill(list, listHead, this.list.box, this.found);
    const side = make("section", "pane detail-pane");
    side.setAttribute("aria-label", "Detail");
    const tabs = make("div", "pane-head");
    fill(tabs, this.entryTab, this.stateTab);
    fill(side, tabs, this.detail.box, this.state.box);
    const panes = make("div", "panes");
    fill(panes, words, list, side);
    const choose = make("nav", "pane-tabs");
    choose.setAttribute("aria-label", "Panes");
    const names = /** @type {[string, HTMLElement][]} */ ([["Conversation", words], ["Entries", list], ["Detail", side]]);
    this.paneButtons = names.map(([name, pane], number) => button("tab", name, `Show: ${name}`, () => this.showPane(number)));
    this.panes = names.map(([, pane]) => pane);
    fill(choose, ...this.paneButtons);
    fill(this.root, bar, this.notices, this.problems.box, stage, choose, panes, this.help.box, this.said);
    this.showPane(0);
    this.showTab("entry");
    document.addEventListener("keydown", (event) => pressed(this, event));
    addEventListener("hashchange", () => this.followLink());
  }

  buildBar() {
    const bar = make("header", "bar");
    const name = make("h1", "brand", "realtape");
    if (this.head.served) {
      const back = make("a", "back", "All sessions");
      back.href = "../";
      name.append(back);
      name.append(this.beside);
      this.showBeside();
    }
    this.pick.setAttribute("aria-label", "Session");
    this.pairs.forEach((pair, number) => {
      const option = make("option", "", `${number + 1}. ${this.pairText(pair)}`);
      option.value = String(number);
      this.pick.append(option);
    });
    this.pick.hidden = this.pairs.length < 2;
    this.pick.addEventListener("change", () => this.changePair(Number(this.pick.value)));
    const right = make("div", "bar-right");
    fill(
      right,
      this.pick,
      this.sideButton,
      this.followButton,
      button("icon", "◐", "Light, dark (T)", () => this.changeTheme()),
      button("icon", "?", "Keys (?)", () => this.help.toggle()),
    );
    fill(bar, name, this.who, right);
    return bar;
  }

  /** Links to the sessions before and after, where a model connected again. */
  showBeside() {
    const links = [];
    for (const [id, text, key] of [[this.head.before, "Session before", "G"], [this.head.after, "Session after", "H"]]) {
      if (!id) continue;
      const link = make("a", "", text);
      link.href = `../${encodeURIComponent(id)}/`;
      link.title = `Where its model connected again (${key})`;
      links.push(link);
    }
    fill(this.beside, ...links);
  }

  buildMixer() {
    const mixer = make("div", "mixer");
    mixer.setAttribute("role", "group");
    mixer.setAttribute("aria-label", "Mix");
    LANES.forEach((lane, number) => {
      const name = { user: "User", model: "Generated", heard: "Heard" }[lane] || lane;
      const box = make("div", `mix ${lane}`);
      const mute = button("mute", name, `Hear it, or not (${number + 1})`, () => this.mute(lane));
      const solo = button("solo", "solo", `${name} alone (Shift ${number + 1})`, () => this.solo(lane));
      solo.setAttribute("aria-label", `solo: ${name}`);
      const volume = make("input", "volume");
      volume.type = "range";
      volume.min = "0";
      volume.max = "1.5";
      volume.step = "0.05";
      volume.value = "1";
      volume.title = `Volume: ${name}`;
      volume.setAttribute("aria-label", `Volume: ${name}`);
      volume.addEventListener("input", () => {
        this.player.mix[lane].volume = Number(volume.value);
        this.player.setMix();
      });
      fill(box, mute, solo, volume);
      this.mixes[lane] = { mute, solo, volume };
      mixer.append(box);
    });
    return mixer;
  }

  /** @param {HTMLElement} mixer */
  buildTransport(mixer) {
    const bar = make("div", "transport");
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Playing");
    const time = make("div", "times");
    fill(time, this.clock, this.total);
    this.speedPick.title = "Speed; the pitch changes with it";
    this.speedPick.setAttribute("aria-label", "Speed; the pitch changes with it");
    for (const speed of SPEEDS) {
      const option = make("option", "", `${speed}×`);
      option.value = String(speed);
      this.speedPick.append(option);
    }
    this.speedPick.value = "1";
    this.speedPick.addEventListener("change", () => this.player.setSpeed(Number(this.speedPick.value)));
    fill(bar, this.playButton, time, this.speedPick, this.skipButton, mixer, this.selection);
    return bar;
  }

  // --- showing ------------------------------------------------------------------------------------------

  /** @param {boolean} all */
  showSession(all) {
    const { facts } = this.session;
    this.player.choose(this.session);
    const length = Math.max(...this.sides.map((side) => side.toPage(side.session.durationNs)));
    this.range.setLength(length, all);
    this.lanes.setSides(this.sides);
    this.list.setSession(this.session);
    this.conversation.show(this.session);
    this.state.place = -1;
    const compared = this.head.comparison;
    const isA = this.side.name === "A";
    const differences = this.pairs[this.pair].problems.map((one) => ({ ...one, seq: isA ? one.seq_a : one.seq_b, at_ns: isA ? one.at_a : one.at_b }));
    this.problems.show([...differences, ...facts.problems]);
    this.showOthers();
    const started = new Date(facts.started_ns / 1e6);
    const labels = Object.entries(facts.labels).map(([name, value]) => make("span", "label", `${name}=${value}`));
    fill(
      this.who,
      make("span", "id", shortId(facts.id)),
      make("span", `status ${facts.status}`, facts.status),
      make("time", "", Number.isNaN(started.getTime()) ? "" : started.toISOString().slice(0, 19).replace("T", " ") + " UTC"),
      make("span", "length", clockText(this.session.durationNs, 1)),
      ...labels,
    );
    /** @type {HTMLElement} */ (this.who.firstChild).title = visible(facts.copy ? `${facts.id}; what is shown is its redacted copy ${facts.copy}` : facts.id);
    this.pick.value = String(this.pair);
    this.sideButton.hidden = this.sides.length < 2;
    this.sideButton.textContent = this.side.name;
    this.total.textContent = " / " + clockText(this.session.durationNs);
    const notices = [...this.head.notices];
    if (compared) notices.unshift({ level: compared.same ? "" : "strong", text: compared.text });
    if (facts.pace !== 1)
      notices.push({ level: "", text: `This was recorded ${facts.pace > 1 ? `${facts.pace.toFixed(1)} times as fast as` : `at ${(facts.pace * 100).toFixed(0)} % of the speed that`} people speak; it is played at the speed of speech, and every time here is the recording's.` });
    if (facts.sound.kept !== "pcm")
      notices.push({ level: "", text: KEPT[facts.sound.kept] });
    fill(this.notices, ...notices.map((one) => make("p", `notice ${one.level}`, one.text)));
    this.showLabels();
    this.changed();
    this.list.tell();
  }

  /** Which other pairs have problems. */
  showOthers() {
    const others = this.pairs.map((pair, number) => ({ pair: number, problems: this.problemsOf(pair) }));
    this.problems.showOthers(others.filter((one) => one.problems && one.pair !== this.pair));
  }

  /** How many problems are told of the one in front. @param {Pair} pair */
  problemsOf(pair) {
    const front = this.head.sessions.find((/** @type {any} */ one) => one.key === (pair.a ?? pair.b));
    return pair.problems.length + front.problems;
  }

  /** A pair in a few words. @param {Pair} pair */
  pairText(pair) {
    const ids = [pair.a, pair.b].flatMap((key) => this.head.sessions.filter((/** @type {any} */ one) => one.key === key)).map((one) => shortId(one.id));
    const alone = this.head.comparison && ids.length < 2 ? (pair.a === null ? "B only: " : "A only: ") : "";
    const count = this.problemsOf(pair);
    return `${alone}${ids.join(" | ")}${count ? ` · ${problemsText(count)}` : ""}`;
  }

  showLabels() {
    const made = [];
    for (const track of this.lanes.tracks()) {
      const name = track.name === "ruler" || !track.label ? "" : track.label;
      const label = make("div", `label-of ${track.name}`, this.head.comparison && name ? `${track.side.name} ${name}` : name);
      label.style.top = `${track.y}px`;
      label.style.height = `${track.height}px`;
      made.push(label);
    }
    this.labels.style.height = `${this.lanes.height}px`;
    fill(this.labels, ...made);
  }

  /** @param {number} number */
  showPane(number) {
    this.panes.forEach((pane, one) => pane.classList.toggle("front", one === number));
    this.paneButtons.forEach((tab, one) => tab.setAttribute("aria-pressed", String(one === number)));
  }

  /** @param {"entry" | "state"} name */
  showTab(name) {
    this.tab = name;
    this.detail.box.hidden = name !== "entry";
    this.state.box.hidden = name !== "state";
    this.entryTab.setAttribute("aria-pressed", String(name === "entry"));
    this.stateTab.setAttribute("aria-pressed", String(name === "state"));
    this.showPlace();
  }

  /** Something of the player has changed. */
  changed() {
    const { playing, speed, skips } = this.player;
    this.playButton.textContent = playing ? "❚❚" : "▶";
    this.playButton.setAttribute("aria-pressed", String(playing));
    if (this.speedPick.value !== String(speed)) this.showSpeed(speed);
    this.skipButton.setAttribute("aria-pressed", String(skips));
    this.followButton.setAttribute("aria-pressed", String(this.follows));
    const audible = this.player.audible();
    for (const lane of LANES) {
      const { mute, solo } = this.mixes[lane];
      mute.setAttribute("aria-pressed", String(audible.includes(lane)));
      solo.setAttribute("aria-pressed", String(this.player.mix[lane].solo));
    }
    this.showPlace();
    if (playing && !this.pending) {
      this.pending = true;
      const frame = () => {
        this.showPlace();
        if (this.player.playing) requestAnimationFrame(frame);
        else this.pending = false;
      };
      requestAnimationFrame(frame);
    }
  }

  /** An address may name a speed that is none of those to choose from. @param {number} speed */
  showSpeed(speed) {
    if (![...this.speedPick.options].some((option) => option.value === String(speed))) {
      const option = make("option", "", `${speed}×`);
      option.value = String(speed);
      this.speedPick.append(option);
    }
    this.speedPick.value = String(speed);
  }

  /** What depends on where the playhead is. @param {boolean} [moved] somebody has put it there */
  showPlace(moved = false) {
    const ns = this.player.now;
    const playing = this.player.playing;
    this.clock.textContent = clockText(ns);
    this.lanes.draw();
    if (playing && this.follows) this.range.reveal(this.side.toPage(ns), 0.03);
    this.conversation.mark(ns, this.follows);
    const place = this.session.placeAt(ns);
    if (this.session.length) this.list.mark(place ? this.session.seq.data[place - 1] : -1, this.follows && (playing || moved), moved);
    if (this.tab === "state" && this.session.length) void this.state.show(this.session, place);
  }

  showSelection() {
    const range = this.range.selected;
    if (!range) return fill(this.selection);
    const [from, to] = range;
    fill(
      this.selection,
      make("span", "", `${clockText(from)} – ${clockText(to)} (${lengthText((to - from) / 1e6)})`),
      button("", "Play", "Play the selection (Enter)", () => this.playSelection()),
      button("", "Show", "Fill the width with it", () => this.range.show(from, to)),
      button("", "Command", "Copy the command that cuts it out (X)", () => this.detail.copy("command", this.session)),
      button("", "×", "Drop the selection (Esc)", () => this.escape()),
    );
  }

  /** @param {string} text */
  say(text) {
    this.said.textContent = text;
    this.said.classList.add("shown");
    clearTimeout(this.silent);
    this.silent = setTimeout(() => this.said.classList.remove("shown"), 2500);
  }

  // --- doing --------------------------------------------------------------------------------------------

  /** @param {number} ns of the session */
  seek(ns) {
    this.player.seek(ns);
    this.range.reveal(this.side.toPage(this.player.ns));
    this.showPlace(true);
  }

  /** @param {number} ns of the page @param {Side} side */
  seekOn(ns, side) {
    if (side !== this.side) this.showSide(side);
    this.player.seek(side.fromPage(ns));
    this.showPlace(true);
  }

  /** @param {number} seconds as people speak */
  step(seconds) {
    this.seek(this.player.now + (seconds * SECOND) / this.session.facts.pace);
  }

  sightNs() {
    const now = this.side.toPage(this.player.now);
    return now > this.range.from && now < this.range.to ? now : (this.range.from + this.range.to) / 2;
  }

  /** @param {number} by */
  changeSpeed(by) {
    const at = SPEEDS.indexOf(this.player.speed);
    this.player.setSpeed(SPEEDS[Math.min(Math.max((at < 0 ? 3 : at) + by, 0), SPEEDS.length - 1)]);
  }

  /** @param {boolean} skips */
  setSkips(skips) {
    this.player.skips = skips;
    this.player.setSpeed(this.player.speed);
  }

  /** @param {boolean} follows */
  setFollow(follows) {
    this.follows = follows;
    this.changed();
  }

  /** @param {string} lane */
  mute(lane) {
    this.player.mix[lane].muted = !this.player.mix[lane].muted;
    this.player.setMix();
  }

  /** @param {string} lane */
  solo(lane) {
    this.player.mix[lane].solo = !this.player.mix[lane].solo;
    this.player.setMix();
  }

  /** @param {boolean} all */
  setAll(all) {
    this.list.setAll(all);
    this.allButton.setAttribute("aria-pressed", String(all));
    this.list.tell();
  }

  /** @param {0 | 1} end */
  selectTo(end) {
    const now = this.side.toPage(this.player.now);
    const range = this.range.selected || [now, now];
    const other = range[1 - end];
    this.mark = end ? this.mark : now;
    if (end) this.range.select(this.mark ?? 0, now);
    else if (other > now) this.range.select(now, other);
    else this.say("Selection begins here; O ends it");
  }

  playSelection() {
    const range = this.selected;
    if (!range) return;
    this.player.seek(range[0]);
    this.player.play(range[1]);
  }

  escape() {
    if (this.help.box.open) return this.help.box.close();
    if (this.range.selected) {
      this.range.selected = null;
      this.range.told();
    } else if (this.filterField.value) {
      this.filterField.value = "";
      this.list.search("");
    }
  }

  /** @param {number} place @param {Session} [session] */
  choose(place, session = this.session) {
    if (place < 0) return;
    if (place >= session.length) {
      this.awaited = place; // the index was not read that far yet
      return this.say(`Reading the index, ${Math.floor((session.length / session.facts.entries) * 100)} %`);
    }
    this.awaited = -1;
    const side = this.sides.find((one) => one.session === session);
    if (side && side !== this.side) this.showSide(side);
    const seq = session.seq.data[place];
    this.list.choose(seq);
    this.showTab("entry");
    void this.detail.show(session, place);
    if (this.panes[2].offsetParent === null) this.showPane(2);
    this.range.reveal(this.side.toPage(session.at.data[place]));
    const hash = linkOf(session, seq);
    if (location.hash !== hash && !this.head.served) location.replace(hash);
    else if (this.head.served) history.replaceState(null, "", location.pathname + location.search + hash);
    this.lanes.draw();
  }

  /** @param {number} seq @param {Side} side */
  chooseOn(seq, side) {
    this.choose(side.session.placeOf(seq), side.session);
  }

  /** @param {any} problem */
  goTo(problem) {
    if (problem.at_ns !== null) this.seek(problem.at_ns);
    if (problem.seq !== null && problem.seq !== undefined) this.choose(this.session.placeOf(problem.seq));
  }

  otherSide() {
    const other = this.sides.find((one) => one !== this.side);
    if (other) this.showSide(other);
  }

  /** @param {Side} side */
  showSide(side) {
    const ns = this.side.toPage(this.player.now);
    this.side = side;
    this.showSession(false);
    this.lanes.reveal(side);
    this.player.seek(side.fromPage(ns));
  }

  /** @param {number} pair */
  async changePair(pair) {
    const run = ++this.changing;
    const sides = await openedSides(this.blocks, this.pairs[pair]);
    if (run !== this.changing) return; // another one was asked for meanwhile
    this.player.pause();
    this.player.ns = 0;
    this.detail.clear();
    this.list.chosen = this.awaited = -1;
    this.pair = pair;
    this.sides = sides;
    this.side = sides[0];
    this.showSession(true);
    await this.readIndex();
  }

  /** @param {number} by */
  stepPair(by) {
    const pair = this.pair + by;
    const other = by < 0 ? this.head.before : this.head.after; // what is served has a page of its own
    if (pair in this.pairs) void this.changePair(pair);
    else if (other) location.href = `../${encodeURIComponent(other)}/`;
    else this.say(by < 0 ? "This is the first session" : "This is the last session");
  }

  changeTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    this.lanes.draw();
  }

  /** What the address says: an entry, an instant, a speed. */
  async followLink() {
    this.linking = false;
    const { id, seq } = linked();
    if (seq < 0) return;
    const named = this.named(id);
    if (!named) return this.say("The link names a session that is not in this page");
    if (!this.linkedSide()) await this.changePair(pairWith(this.pairs, named.key));
    const side = this.linkedSide();
    if (side && side !== this.side) this.showSide(side);
    const place = this.session.placeOf(Number(seq));
    if (place >= 0 && place !== this.detail.place) this.choose(place);
  }

  /** What an id names: of several that are called so, such as one beside its own copy, that which is in front. @param {string} id */
  named(id) {
    const called = this.head.sessions.filter((/** @type {any} */ one) => isCalled(one, id));
    const shown = [this.side, ...this.sides].map((side) => called.find((/** @type {any} */ one) => one.key === side.session.key));
    return shown.find((one) => one) || called[0];
  }

  /** The side that the address names, if it is in front. */
  linkedSide() {
    const { id } = linked();
    const named = this.named(id);
    return named && this.sides.find((one) => one.session.key === named.key);
  }

  followTime() {
    const asked = new URLSearchParams(location.search);
    const [, number, unit] = /^([\d.]+)(ms|s)?$/.exec(asked.get("t") || "") || [];
    if (Number.isFinite(Number(number))) this.seek(Number(number) * (unit === "ms" ? 1e6 : SECOND));
    const speed = Number(asked.get("speed"));
    if (speed) this.player.setSpeed(speed);
  }

  /** Ask the server for what came meanwhile, as long as something may. */
  async keepUp() {
    let took = 0;
    let watched = false; // while it was recorded
    for (;;) {
      const session = this.session;
      watched ||= session.facts.status === "recording";
      // What is long takes its time to be told: it is asked for less often.
      const pause = session.facts.read < session.facts.entries ? 300 : 1000;
      await new Promise((next) => setTimeout(next, Math.max(pause, took * 4)));
      if (session !== this.session) continue;
      let standing;
      try {
        standing = await session.json("standing");
      } catch (error) {
        this.say(`The server does not answer: ${error instanceof Error ? error.message : error}`);
        await new Promise((next) => setTimeout(next, 4000));
        continue;
      }
      const { facts } = session;
      if (standing.entries === facts.entries && standing.read === facts.read && standing.status === facts.status) {
        if (standing.status !== "recording" && standing.read >= standing.entries) return void this.awaitNext(watched);
        continue;
      }
      const began = performance.now();
      const seen = this.range.to >= this.range.length * 0.98;
      const [from, length] = [this.range.from, this.range.length];
      session.forgetTail();
      await session.open();
      await session.readIndex();
      if (session !== this.session) continue;
      const now = this.player.now;
      const place = this.detail.place;
      this.showFacts();
      if (seen) this.range.show(from * (this.range.length / length), this.range.length);
      if (!this.player.playing) this.player.ns = now;
      this.detail.place = place;
      this.indexed();
      took = performance.now() - began;
    }
  }

  /**
   * The model of a session that is over may connect again: its next session is linked, and who has watched this one
   * go on, and looks at nothing of it, is brought there.
   * @param {boolean} watched
   */
  async awaitNext(watched) {
    for (;;) {
      await new Promise((next) => setTimeout(next, 1500));
      if (document.hidden) continue;
      try {
        const { before, after } = await this.session.json("beside");
        if (before === this.head.before && after === this.head.after) continue;
        Object.assign(this.head, { before, after });
      } catch {
        continue; // it is asked again
      }
      this.showBeside();
      if (!this.head.after) continue;
      const idle = this.detail.place < 0 && !this.range.selected && !this.player.playing && this.filterField.value === "";
      if (watched && this.follows && idle) return void (location.href = `../${encodeURIComponent(this.head.after)}/`);
      this.say("The model connected again: H shows that session");
    }
  }

  /** The same session, of which there is more now. */
  showFacts() {
    const { facts } = this.session;
    this.range.setLength(this.session.durationNs, false);
    this.lanes.mips.clear();
    this.conversation.show(this.session);
    this.problems.show(facts.problems);
    this.total.textContent = " / " + clockText(this.session.durationNs);
    const status = this.who.querySelector(".status");
    if (status) {
      status.textContent = facts.status;
      status.className = `status ${facts.status}`;
    }
    const length = this.who.querySelector(".length");
    if (length) length.textContent = clockText(this.session.durationNs, 1);
    this.showLabels();
    void this.list.readLines();
    if (!this.list.filter.empty) this.list.search(this.filterField.value);
    this.list.tell();
  }
}

/**
 * What is shown at a time: a session, or two that are held against each other. Of a chain each with its like; null
 * where the other side has none.
 * @typedef {{a: string | null, b: string | null, marks: any[], problems: any[], anchors: [number, number][]}} Pair
 */

/** @param {any} head @returns {Pair[]} */
function pairsOf(head) {
  if (head.comparison) return head.comparison.pairs;
  return head.sessions.map((/** @type {any} */ one) => ({ a: one.key, b: null, marks: [], problems: [], anchors: [] }));
}

/** Which one a session is in. @param {Pair[]} pairs @param {string} key */
function pairWith(pairs, key) {
  return pairs.findIndex((one) => one.a === key || one.b === key);
}

/** @param {EmbeddedBlocks | ServedBlocks} blocks @param {Pair} pair */
async function openedSides(blocks, pair) {
  const sides = [];
  if (pair.a !== null) sides.push(new Side(new Session(blocks, pair.a), "A", []));
  if (pair.b !== null) sides.push(new Side(new Session(blocks, pair.b), "B", pair.a === null ? [] : pair.anchors));
  await Promise.all(sides.map((side) => side.session.open()));
  return sides;
}

/** What the address names: how the id of a session begins, and a seq, or -1. Whatever else is in it means nothing. */
function linked() {
  const [, id, seq] = /^#([^/]*)\/(\d{1,9})$/.exec(location.hash) || ["", "", "-1"];
  try {
    return { id: decodeURIComponent(id), seq: Number(seq) };
  } catch {
    return { id: "", seq: -1 }; // no UTF-8
  }
}

/** Whether a session's id begins so, that of its redacted copy, or that of what it is one of. @param {{id: string, also: string[]}} session @param {string} id */
function isCalled(session, id) {
  return [session.id, ...session.also].some((one) => one.startsWith(id));
}

/** For whoever looks into the page, such as a test. @type {any} */
const realtape = { page: null, render, error: null };
/** @type {any} */ (globalThis).realtape = realtape;

async function start() {
  const root = /** @type {HTMLElement} */ (document.getElementById("page"));
  try {
    const embedded = new EmbeddedBlocks();
    const head = await embedded.json("head");
    controls = new RegExp(head.controls, "gu");
    if (head.list) {
      realtape.page = new Sessions(head, new ServedBlocks());
      return await realtape.page.open();
    }
    const page = await Page.opened(head, head.served ? new ServedBlocks() : embedded, linked().id);
    realtape.page = page;
    page.followTime();
    await page.readIndex();
    if (page.linking) await page.followLink();
    if (!location.hash && head.front) page.goTo(page.problems.all[0] || { at_ns: 0, seq: null });
    if (head.served) void page.keepUp();
  } catch (error) {
    realtape.error = String(error);
    fill(root, make("p", "plain bad", `This page cannot show the recording: ${error instanceof Error ? error.message : error}`));
    root.setAttribute("aria-busy", "false");
    throw error;
  }
}
void start();
