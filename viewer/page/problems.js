"use strict";
// Problems: what is wrong with the session comes first.

class Problems {
  /** @param {(problem: any) => void} go @param {(pair: number) => void} change to another session of the page, or pair of them */
  constructor(go, change) {
    this.go = go;
    this.change = change;
    /** @type {{pair: number, problems: number}[]} the other sessions that have any, or pairs of them */
    this.others = [];
    this.box = make("section", "problems");
    this.box.setAttribute("aria-label", "Problems");
    /** @type {any[]} */
    this.all = [];
    this.at = -1;
    this.open = false;
  }

  /** @param {any[]} problems */
  show(problems) {
    this.all = problems;
    this.at = -1;
    this.draw();
  }

  /** @param {{pair: number, problems: number}[]} others */
  showOthers(others) {
    this.others = others;
    this.draw();
  }

  /** Those of the other sessions of a chain, or null. */
  elsewhere() {
    if (!this.others.length) return null;
    const line = make("div", "others");
    line.append("Elsewhere:");
    for (const one of this.others)
      line.append(button("", `session ${one.pair + 1}: ${problemsText(one.problems)}`, "Show that session", () => this.change(one.pair)));
    return line;
  }

  draw() {
    this.box.hidden = false;
    if (!this.all.length) {
      const well = "Nothing failed, nothing was lost, and every rule holds that can be checked.";
      return fill(this.box, make("p", "well", well), this.elsewhere());
    }
    const few = 3;
    const list = make("ul");
    this.all.slice(0, this.open ? 200 : few).forEach((one, number) => {
      const item = make("li");
      const link = button(`problem ${one.level}`, "", "Go there (P, N)", () => {
        this.at = number;
        this.mark();
        this.go(one);
      });
      link.removeAttribute("aria-label");
      fill(
        link,
        make("span", "what", one.what),
        make("span", "text", one.text),
        make("span", "time", one.at_ns === null ? "" : clockText(one.at_ns)),
      );
      item.append(link);
      list.append(item);
    });
    const count = this.all.length;
    const head = make("h2", "", problemsText(count));
    const more = count > few && button("more", this.open ? "Show fewer" : `Show all ${countText(count)}`, "All problems, or the first", () => {
      this.open = !this.open;
      this.draw();
    });
    fill(this.box, head, list, more, this.elsewhere());
    this.mark();
  }

  mark() {
    this.box.querySelectorAll(".problem").forEach((one, number) => one.classList.toggle("chosen", number === this.at));
  }

  /** @param {number} by */
  move(by) {
    if (!this.all.length) return;
    this.at = (this.at + by + this.all.length) % this.all.length;
    if (this.at >= 3 && !this.open) {
      this.open = true;
      this.draw();
    }
    this.mark();
    this.go(this.all[this.at]);
  }
}

/** @param {number} count */
function problemsText(count) {
  return count === 1 ? "1 problem" : `${countText(count)} problems`;
}
