"use strict";
// Blocks: the data of the page, each packed by itself, and unpacked when it is needed.

/**
 * Blocks that lie in the page as `<script type="application/octet-stream">`: base64 of gzip. The script runs before
 * the browser has read them; who wants one that is not there yet waits for it.
 */
class EmbeddedBlocks {
  constructor() {
    /** @type {Map<string, (() => void)[]>} by the name of a block, who waits for it */
    this.waiting = new Map();
    if (!this.reading) return;
    const watcher = new MutationObserver(() => this.look());
    watcher.observe(document.body, { childList: true });
    document.addEventListener("DOMContentLoaded", () => {
      watcher.disconnect();
      this.look();
    });
  }

  /** Whether the browser still reads the page. */
  get reading() {
    return document.readyState === "loading";
  }

  /** A block that is there whole: something follows it, or nothing will. @param {string} name */
  element(name) {
    const element = document.getElementById("block:" + name);
    return element && (element.nextSibling || !this.reading) ? element : null;
  }

  look() {
    for (const [name, waiters] of this.waiting) {
      if (this.reading && !this.element(name)) continue;
      this.waiting.delete(name);
      for (const go of waiters) go();
    }
  }

  /** @param {string} name */
  async bytes(name) {
    if (this.reading && !this.element(name))
      await new Promise((go) => this.waiting.set(name, [...(this.waiting.get(name) || []), () => go(undefined)]));
    const element = this.element(name);
    if (!element) throw new Error(`the page lacks its block ${name}`);
    const text = element.textContent || "";
    const native = /** @type {any} */ (Uint8Array).fromBase64;
    let packed;
    if (native) packed = native.call(Uint8Array, text.trim());
    else {
      const binary = atob(text.trim());
      packed = new Uint8Array(binary.length);
      for (let place = 0; place < binary.length; place++) packed[place] = binary.charCodeAt(place);
    }
    const stream = new Response(packed).body;
    if (!stream) throw new Error("nothing can be unpacked here");
    return new Uint8Array(await new Response(stream.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  }

  /** @param {string} name */
  async json(name) {
    return JSON.parse(new TextDecoder().decode(await this.bytes(name)));
  }
}

/** Blocks that `realtape view` gives; the token is in the address. */
class ServedBlocks {
  constructor() {
    this.root = location.pathname.replace(/[^/]*$/, "");
  }

  /** @param {string} name */
  async answer(name) {
    const answer = await fetch(this.root + "block/" + name, { cache: "no-store", credentials: "omit" });
    if (!answer.ok) throw new Error((await answer.text()) || `the server answers ${answer.status}`);
    return answer;
  }

  /** @param {string} name */
  async bytes(name) {
    return new Uint8Array(await (await this.answer(name)).arrayBuffer());
  }

  /** @param {string} name */
  async json(name) {
    return (await this.answer(name)).json();
  }
}

/** The last few of something that is costly to have, by a key. @template T */
class Recent {
  /** @param {number} size @param {(key: string) => Promise<T>} load */
  constructor(size, load) {
    this.size = size;
    this.load = load;
    /** @type {Map<string, Promise<T>>} */
    this.known = new Map();
    /** @type {Map<string, T>} */
    this.here = new Map();
  }

  /** @param {string} key @returns {Promise<T>} */
  get(key) {
    let found = this.known.get(key);
    if (found) this.known.delete(key);
    else {
      found = this.load(key);
      found.then(
        (value) => this.known.has(key) && this.here.set(key, value),
        () => this.forget(key),
      );
    }
    this.known.set(key, found);
    while (this.known.size > this.size) this.forget(this.known.keys().next().value || "");
    return found;
  }

  /** What is here already, without waiting. @param {string} key */
  now(key) {
    return this.here.get(key);
  }

  /** @param {string} key */
  forget(key) {
    this.known.delete(key);
    this.here.delete(key);
  }

  clear() {
    this.known.clear();
    this.here.clear();
  }
}
