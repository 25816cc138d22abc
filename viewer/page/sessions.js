"use strict";
// Sessions: what a store holds, to choose from; only `realtape view` shows it.

class Sessions {
  /** @param {any} head @param {ServedBlocks} blocks */
  constructor(head, blocks) {
    this.head = head;
    this.blocks = blocks;
    this.box = make("div", "sessions");
    this.body = make("tbody");
    this.found = make("p", "none");
    this.found.setAttribute("role", "status");
    this.listed = ""; // what is shown, as it was told
    /** @type {Record<string, HTMLInputElement | HTMLSelectElement>} */
    this.fields = {};
  }

  async open() {
    const filters = make("div", "filters");
    filters.setAttribute("role", "search");
    /** @param {string} name @param {string} title @param {HTMLInputElement | HTMLSelectElement} field */
    const add = (name, title, field) => {
      field.setAttribute("aria-label", title);
      field.title = title;
      if (field instanceof HTMLInputElement) field.placeholder = title;
      field.addEventListener("input", () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.read(), 200);
      });
      this.fields[name] = field;
      filters.append(field);
    };
    add("text", "Anything said or written", make("input", "filter"));
    add("tool", "Tool that was called", make("input", "filter"));
    add("label", "Label: name=value", make("input", "filter"));
    const status = make("select");
    for (const one of ["", "recording", "closed", "failed", "interrupted"]) {
      const option = make("option", "", one || "any status");
      option.value = one;
      status.append(option);
    }
    add("status", "Status", status);
    add("since", "Since: 2026-11-22, 2h", make("input", "filter brief"));
    add("until", "Until: 2026-11-22, 2h", make("input", "filter brief"));
    add("longer_than", "Longer than: 30s, 2m", make("input", "filter brief"));
    add("shorter_than", "Shorter than: 30s, 2m", make("input", "filter brief"));
    for (const [name, title] of [["interrupted", "interrupted by the user"], ["error", "something failed"]]) {
      const box = make("input");
      box.type = "checkbox";
      const label = make("label", "", "");
      add(name, title, box);
      label.append(box, " " + title);
      filters.append(label);
    }
    const table = make("table");
    const head = make("thead");
    const row = make("tr");
    for (const name of ["session", "started", "length", "entries", "status", "labels"]) {
      const cell = make("th", "", name);
      cell.scope = "col";
      row.append(cell);
    }
    head.append(row);
    fill(table, head, this.body);
    fill(this.box, make("h2", "store", `Sessions of ${this.head.store}`), filters, table, this.found);
    const bar = make("header", "bar");
    fill(bar, make("h1", "brand", "realtape"), make("div", "who", ""));
    const root = /** @type {HTMLElement} */ (document.getElementById("page"));
    fill(root, bar, this.box);
    await this.read();
    root.setAttribute("aria-busy", "false");
    void this.keepUp();
  }

  /** What is recorded meanwhile is listed, too. */
  async keepUp() {
    let [known, took] = [-1, 0];
    for (;;) {
      await new Promise((next) => setTimeout(next, Math.max(1500, took * 8)));
      if (document.hidden) continue;
      try {
        const { changes } = await this.blocks.json("changes");
        const began = performance.now();
        if (changes !== known) await this.read();
        [known, took] = [changes, performance.now() - began];
      } catch {
        this.found.textContent = "The server does not answer.";
      }
    }
  }

  async read() {
    const asked = new URLSearchParams();
    for (const [name, field] of Object.entries(this.fields)) {
      const value = field instanceof HTMLInputElement && field.type === "checkbox" ? (field.checked ? "1" : "") : field.value;
      if (value) asked.set(name, value);
    }
    const run = (this.run = (this.run || 0) + 1);
    let told;
    try {
      told = await this.blocks.json("sessions?" + asked);
    } catch (error) {
      this.found.textContent = visible(error instanceof Error ? error.message : error);
      return;
    }
    if (run !== this.run) return;
    if (told.wrong) return void (this.found.textContent = told.wrong); // perhaps it is not typed to its end
    const listed = JSON.stringify(told);
    if (listed === this.listed) return;
    this.listed = listed;
    const focused = document.activeElement instanceof HTMLAnchorElement ? document.activeElement.href : "";
    const rows = told.sessions.map((/** @type {any} */ one) => {
      const row = make("tr");
      const link = make("a", "", one.id);
      link.href = `./${encodeURIComponent(one.id)}/`;
      const first = make("td");
      first.append(link);
      const started = new Date(one.started_ns / 1e6);
      fill(
        row,
        first,
        make("td", "", Number.isNaN(started.getTime()) ? "" : started.toISOString().slice(0, 19).replace("T", " ")),
        make("td", "", one.duration_ns === null ? "–" : clockText(one.duration_ns, 1)),
        make("td", "", countText(one.entries)),
        make("td", `status ${one.status}`, one.status),
        make("td", "labels-of", Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join("  ")),
      );
      return row;
    });
    fill(this.body, ...rows);
    for (const link of this.body.querySelectorAll("a")) if (link.href === focused) link.focus();
    const damaged = told.damaged.map((/** @type {string} */ text) => `\n${visible(text)}`).join("");
    this.found.textContent = numberText(rows.length, "session", "sessions") + damaged;
  }
}
