"use strict";
// Text: whatever a caller, a tool or a provider said becomes text, and never markup.

/** What a terminal or a browser would obey instead of showing: said by Python, so that it is said once. */
let controls = /[\x00-\x1f\x7f-\x9f]/g;

/**
 * A text whose control characters, and marks that turn the direction of text, are shown as escapes.
 * @param {unknown} text
 * @param {boolean} [lines] ends of lines and tabs stay
 * @returns {string}
 */
function visible(text, lines = false) {
  return String(text)
    .toWellFormed()
    .replace(controls, (found) =>
      lines && (found === "\n" || found === "\t")
        ? found
        : "\\x" + (found.codePointAt(0) || 0).toString(16).padStart(2, "0"),
    );
}

/**
 * An element with a class and a text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [name] of its classes
 * @param {unknown} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
function make(tag, name = "", text = undefined) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = visible(text);
  return made;
}

/**
 * A button that says what it does.
 * @param {string} name of its classes
 * @param {string} text
 * @param {string} title what it does, and by which key
 * @param {(event: MouseEvent) => unknown} act
 */
function button(name, text, title, act) {
  const made = make("button", name, text);
  made.type = "button";
  made.title = title;
  if (!/[\p{L}\d]/u.test(text)) made.setAttribute("aria-label", title);
  made.addEventListener("click", act);
  return made;
}

/**
 * Put these into an element, instead of what is there.
 * @param {Element} parent
 * @param {...(Node | string | null | undefined | false)} children
 */
function fill(parent, ...children) {
  parent.replaceChildren();
  for (const child of children) if (child) parent.append(child);
}

const SECOND = 1e9;

/**
 * 1:02.345 of nanoseconds.
 * @param {number} ns
 * @param {number} [digits] of the seconds' fraction
 */
function clockText(ns, digits = 3) {
  const unit = 10 ** digits;
  const all = Math.round((Math.max(ns, 0) / SECOND) * unit);
  const seconds = Math.floor(all / unit);
  const fraction = digits ? "." + String(all % unit).padStart(digits, "0") : "";
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = String(seconds % 60).padStart(2, "0") + fraction;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/**
 * A length for people.
 * @param {number | null | undefined} ms
 */
function lengthText(ms) {
  if (ms === null || ms === undefined) return "–";
  if (Math.abs(ms) < 1000) return `${Math.round(ms)} ms`;
  if (Math.abs(ms) < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  return clockText(ms * 1e6, 0);
}

/**
 * Many thousands, readable.
 * @param {number} count
 */
function countText(count) {
  return count.toLocaleString("en");
}

/**
 * So many of something.
 * @param {number} count @param {string} one @param {string} several
 */
function numberText(count, one, several) {
  return `${countText(count)} ${count === 1 ? one : several}`;
}

/**
 * The end of a long id: providers' ids differ there.
 * @param {string} id
 */
function shortId(id) {
  return id.length <= 12 ? id : "…" + id.slice(-8);
}
