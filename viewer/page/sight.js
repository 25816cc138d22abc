"use strict";
// Sight: which part of the session's clock is seen, and which is selected.

class Sight {
  /** @param {() => void} told called when it has changed */
  constructor(told) {
    this.told = told;
    this.length = 1;
    this.from = 0;
    this.to = 1;
    /** @type {[number, number] | null} */
    this.selected = null;
  }

  /** @param {number} length of the session, in nanoseconds @param {boolean} all show it all */
  setLength(length, all) {
    this.length = length;
    if (all) this.show(0, length);
  }

  get span() {
    return this.to - this.from;
  }

  /** @param {number} from @param {number} to */
  show(from, to) {
    const least = 2e6; // two milliseconds fill the width at most
    const span = Math.min(Math.max(to - from, least), this.length * 1.02);
    const middle = (from + to) / 2;
    let begin = middle - span / 2;
    begin = Math.min(Math.max(begin, -this.length * 0.01), this.length * 1.01 - span);
    this.from = begin;
    this.to = begin + span;
    this.told();
  }

  /** @param {number} factor below 1: closer @param {number} [at] what stays where it is */
  zoom(factor, at = (this.from + this.to) / 2) {
    const share = (at - this.from) / this.span;
    const span = Math.min(Math.max(this.span * factor, 2e6), this.length * 1.02);
    this.show(at - span * share, at - span * share + span);
  }

  /** @param {number} share of what is seen */
  pan(share) {
    const by = this.span * share;
    this.show(this.from + by, this.to + by);
  }

  /** Bring an instant into sight. @param {number} ns @param {number} [margin] share of the width */
  reveal(ns, margin = 0.06) {
    const edge = this.span * margin;
    if (ns < this.from + edge || ns > this.to - edge) this.show(ns - this.span * 0.3, ns + this.span * 0.7);
  }

  /** @param {number} a @param {number} b */
  select(a, b) {
    const from = Math.max(Math.min(a, b), 0);
    const to = Math.min(Math.max(a, b), this.length);
    this.selected = to > from ? [from, to] : null;
    this.told();
  }
}
