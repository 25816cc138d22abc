"use strict";
// Keys: everything can be done without a pointer.

/** @type {[string, string][]} for people */
const HELP = [
  ["Space", "play, pause"],
  ["← →", "a second back, forward; with Shift ten"],
  [", .", "a tenth of a second back, forward"],
  ["Home End", "to the beginning, to the end"],
  ["W S", "closer, farther"],
  ["A D", "earlier, later"],
  ["0", "show all"],
  ["PageUp PageDown", "lanes for which there is no room"],
  ["[ ]", "slower, faster (the pitch changes with it)"],
  ["K", "skip silence"],
  ["1 2 3", "mute the user's, the generated, the heard sound; with Shift: that one alone"],
  ["↑ ↓", "previous, next entry"],
  ["C E", "to its cause, to what it caused"],
  ["P N", "previous, next problem"],
  ["I O", "begin, end a selection at the playhead"],
  ["Enter", "play the selection"],
  ["Esc", "drop the selection, the filter, or this"],
  ["/", "filter"],
  ["V", "every entry, or lines in which bursts are folded"],
  ["F", "follow the playhead, or not"],
  ["J L Y X", "copy the entry as JSON, a link, Markdown, a command"],
  ["B", "the other recording, where there are two"],
  ["G H", "the session before, after, where a model connected again"],
  ["T", "light, dark"],
  ["?", "this"],
];

class Help {
  constructor() {
    this.box = make("dialog", "help");
    this.box.setAttribute("aria-label", "Keys");
    const list = make("dl");
    for (const [keys, what] of HELP) {
      const term = make("dt");
      for (const key of keys.split(" ")) term.append(make("kbd", "", key), " ");
      list.append(term, make("dd", "", what));
    }
    fill(
      this.box,
      make("h2", "", "Keys"),
      list,
      make("p", "note", "Wheel: closer, farther. Drag: earlier, later. Shift and drag, or drag the ruler: select. Two fingers: pinch."),
      make("p", "note", `Filter: ${FILTER_WORDS}`),
      button("", "Close", "Esc", () => this.box.close()),
    );
  }

  toggle() {
    if (this.box.open) this.box.close();
    else this.box.showModal();
  }
}

/** @param {Page} page @param {KeyboardEvent} event */
function pressed(page, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = /** @type {HTMLElement} */ (event.target);
  const typing = target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (typing) target.blur();
    page.escape();
    return;
  }
  if (typing || page.help.box.open) return;
  if ((event.key === " " || event.key === "Enter") && target.matches("button, summary")) return;
  const digit = event.shiftKey && /^Digit([123])$/.exec(event.code); // what Shift makes of a digit, keyboards differ in
  if (digit) {
    page.solo(LANES[Number(digit[1]) - 1]);
    event.preventDefault();
    return;
  }
  const act = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (!act) return;
  act(page, event);
  event.preventDefault();
}

/** @type {Record<string, (page: Page, event: KeyboardEvent) => unknown>} */
const KEYS = {
  " ": (page) => page.player.toggle(),
  ArrowLeft: (page, event) => page.step(event.shiftKey ? -10 : -1),
  ArrowRight: (page, event) => page.step(event.shiftKey ? 10 : 1),
  ",": (page) => page.step(-0.1),
  ".": (page) => page.step(0.1),
  Home: (page) => page.seek(0),
  End: (page) => page.seek(page.session.durationNs),
  w: (page) => page.range.zoom(0.7, page.sightNs()),
  s: (page) => page.range.zoom(1 / 0.7, page.sightNs()),
  a: (page) => page.range.pan(-0.2),
  d: (page) => page.range.pan(0.2),
  PageUp: (page) => page.lanes.scroll(-0.8),
  PageDown: (page) => page.lanes.scroll(0.8),
  0: (page) => page.range.show(0, page.range.length),
  "[": (page) => page.changeSpeed(-1),
  "]": (page) => page.changeSpeed(1),
  k: (page) => page.setSkips(!page.player.skips),
  1: (page) => page.mute("user"),
  2: (page) => page.mute("model"),
  3: (page) => page.mute("heard"),
  ArrowUp: (page) => page.list.move(-1),
  ArrowDown: (page) => page.list.move(1),
  c: (page) => page.detail.jump(page.session, true),
  e: (page) => page.detail.jump(page.session, false),
  p: (page) => page.problems.move(-1),
  n: (page) => page.problems.move(1),
  i: (page) => page.selectTo(0),
  o: (page) => page.selectTo(1),
  Enter: (page) => page.playSelection(),
  "/": (page) => page.filterField.focus(),
  v: (page) => page.setAll(!page.list.all),
  f: (page) => page.setFollow(!page.follows),
  j: (page) => page.detail.copy("json", page.session),
  l: (page) => page.detail.copy("link", page.session),
  y: (page) => page.detail.copy("markdown", page.session),
  x: (page) => page.detail.copy("command", page.session),
  b: (page) => page.otherSide(),
  g: (page) => page.stepPair(-1),
  h: (page) => page.stepPair(1),
  t: (page) => page.changeTheme(),
  "?": (page) => page.help.toggle(),
};
