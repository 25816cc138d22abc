"use strict";
// Lanes: one canvas with everything that lies on the clock, drawn when something of it has changed.

/** What is drawn, from above: its name, its height, and what it shows. */
const TRACKS = [
  { name: "ruler", height: 22, label: "" },
  { name: "user", height: 50, label: "User" },
  { name: "model", height: 50, label: "Generated" },
  { name: "heard", height: 50, label: "Heard" },
  { name: "playback", height: 22, label: "Playback" },
  { name: "words", height: 44, label: "Words" },
  { name: "responses", height: 24, label: "Responses" },
  { name: "tools", height: 24, label: "Tools" },
  { name: "events", height: 20, label: "Events" },
];

/** How high sound is drawn where there are two recordings. */
const LOW_HEIGHT = 36;

/** One recording in the lanes, and how its clock lies on that of the page. */
class Side {
  /** @param {Session} session @param {string} name @param {[number, number][]} anchors its ns → the page's ns */
  constructor(session, name, anchors) {
    this.session = session;
    this.name = name;
    this.anchors = anchors;
  }

  /** The page's instant of one of this side. @param {number} ns */
  toPage(ns) {
    return bend(this.anchors, ns, 0, 1);
  }

  /** This side's instant of one of the page. @param {number} ns */
  fromPage(ns) {
    return bend(this.anchors, ns, 1, 0);
  }
}

/**
 * Along straight lines between anchors; before the first and behind the last as they are apart there.
 * @param {[number, number][]} anchors @param {number} ns @param {0 | 1} from @param {0 | 1} to
 */
function bend(anchors, ns, from, to) {
  if (!anchors.length) return ns;
  let high = anchors.findIndex((one) => one[from] > ns);
  if (high === 0) return anchors[0][to] + ns - anchors[0][from];
  if (high < 0) return anchors[anchors.length - 1][to] + ns - anchors[anchors.length - 1][from];
  const [a, b] = [anchors[high - 1], anchors[high]];
  return a[to] + ((ns - a[from]) / (b[from] - a[from] || 1)) * (b[to] - a[to]);
}

class Lanes {
  /**
   * @param {Sight} range
   * @param {{seek: (ns: number, side: Side) => void, choose: (seq: number, side: Side) => void,
   *   now: () => number, plays: () => string, marks: () => any[], chosen: () => {side: Side, ns: number} | null}} page
   */
  constructor(range, page) {
    this.range = range;
    this.page = page;
    /** @type {Side[]} */
    this.sides = [];
    this.canvas = make("canvas", "lanes");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-label", "Place in the recording");
    this.strip = make("canvas", "strip");
    this.strip.setAttribute("aria-hidden", "true");
    this.tip = make("div", "tip");
    this.tip.hidden = true;
    this.box = make("div", "lane-box");
    fill(this.box, this.canvas, this.tip);
    this.dirty = true;
    this.frames = 0;
    this.width = 50;
    this.font = "";
    /** @type {Record<string, string>} */
    this.colours = {};
    /** @type {{x: number, y: number, w: number, h: number, seq: number, side: Side, text: string}[]} */
    this.hits = [];
    /** @type {Map<string, Int8Array[]>} */
    this.mips = new Map();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    const frame = () => {
      if (this.dirty) {
        this.dirty = false;
        this.paint();
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  draw() {
    this.dirty = true;
  }

  /** @param {Side[]} sides */
  setSides(sides) {
    this.sides = sides;
    this.mips.clear();
    this.draw();
  }

  /** What is drawn of a side, and from where on. */
  *tracks() {
    let y = 0;
    for (const side of this.sides) {
      const calls = side.session.facts.story.tools.length > 0;
      for (const track of TRACKS) {
        if (track.name === "ruler" && side !== this.sides[0]) continue;
        if (track.name === "tools" && !calls) continue;
        if (track.name === "playback" && !side.session.facts.story.playback.length) continue;
        const deep = track.name === "tools" ? Math.max(this.toolRows(side).length, 1) : 1;
        const sound = ["user", "model", "heard"].includes(track.name);
        const low = sound && this.sides.length > 1 ? LOW_HEIGHT : track.height;
        const height = track.name === "tools" ? 6 + 18 * deep : low;
        yield { ...track, side, y, height };
        y += height;
      }
      y += 8;
    }
  }

  get height() {
    let height = 0;
    for (const track of this.tracks()) height = track.y + track.height;
    return height + 2;
  }

  /** Bring a side into sight, where there is no room for all. @param {Side} side */
  reveal(side) {
    const shown = this.box.parentElement;
    const own = [...this.tracks()].filter((track) => track.side === side);
    if (!shown || !own.length) return;
    const [top, last] = [own[0].y, own[own.length - 1]];
    const bottom = last.y + last.height;
    if (top < shown.scrollTop || bottom > shown.scrollTop + shown.clientHeight)
      shown.scrollTop = side === this.sides[0] ? 0 : Math.min(top, Math.max(bottom - shown.clientHeight, 0));
  }

  /** Lanes for which there is no room. @param {number} by share of what is seen */
  scroll(by) {
    const shown = this.box.parentElement;
    if (shown) shown.scrollTop += by * shown.clientHeight;
  }

  /** @param {Side} side */
  toolRows(side) {
    /** @type {any[][]} */
    const rows = [];
    for (const call of side.session.facts.story.tools) {
      const free = rows.find((row) => (row[row.length - 1].ended_ns ?? Infinity) <= call.began_ns);
      if (free) free.push(call);
      else if (rows.length < 5) rows.push([call]);
      else rows[4].push(call);
    }
    return rows;
  }

  // --- coordinates ------------------------------------------------------------------------------------

  /** @param {number} ns of the page */
  x(ns) {
    return ((ns - this.range.from) / this.range.span) * this.width;
  }

  /** @param {number} x */
  ns(x) {
    return this.range.from + (x / this.width) * this.range.span;
  }

  // --- painting ---------------------------------------------------------------------------------------

  /** @param {HTMLCanvasElement} canvas @param {number} height */
  prepare(canvas, height) {
    const scale = window.devicePixelRatio || 1;
    const width = Math.max(canvas.parentElement ? canvas.parentElement.clientWidth : 0, 50);
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      canvas.style.height = `${height}px`;
    }
    const pen = canvas.getContext("2d");
    if (!pen) throw new Error("no canvas can be drawn on here");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return { pen, width };
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    /** @type {Record<string, string>} */
    const colours = {};
    for (const name of ["ink", "quiet", "faint", "line", "paper", "panel", "user", "model", "heard", "tool", "bad", "mark", "cursor"])
      colours[name] = style.getPropertyValue("--" + name).trim();
    this.colours = colours;
    this.font = `11px ${style.getPropertyValue("--sans")}`;
  }

  paint() {
    if (!this.sides.length) return;
    this.readColours();
    const { pen, width } = this.prepare(this.canvas, this.height);
    this.width = width;
    this.hits = [];
    this.frames++;
    pen.font = this.font || "";
    pen.textBaseline = "middle";
    for (const track of this.tracks()) {
      pen.save();
      pen.beginPath();
      pen.rect(0, track.y, width, track.height);
      pen.clip();
      if (track.name !== "ruler") {
        pen.fillStyle = this.colours.line;
        pen.fillRect(0, track.y, width, 1);
      }
      if (track.name === "ruler") this.paintRuler(pen, track);
      else if (track.name === "playback") this.paintPlayback(pen, track);
      else if (track.name === "words") this.paintWords(pen, track);
      else if (track.name === "responses") this.paintResponses(pen, track);
      else if (track.name === "tools") this.paintTools(pen, track);
      else if (track.name === "events") this.paintEvents(pen, track);
      else this.paintSound(pen, track);
      pen.restore();
    }
    this.paintOver(pen);
    this.paintStrip();
    this.describe();
  }

  /** @param {CanvasRenderingContext2D} pen @param {any} track */
  paintRuler(pen, track) {
    const step = niceStep((this.range.span / this.width) * 90);
    const digits = step >= SECOND ? 0 : Math.min(Math.ceil(-Math.log10(step / SECOND) - 1e-9), 6);
    pen.textAlign = "left";
    for (let ns = Math.ceil(Math.max(this.range.from, 0) / step) * step; ns <= this.range.to; ns += step) {
      const x = Math.round(this.x(ns));
      pen.fillStyle = this.colours.line;
      pen.fillRect(x, 0, 1, this.height);
      pen.fillStyle = this.colours.quiet;
      const text = clockText(ns, digits);
      if (x + 4 + pen.measureText(text).width < this.width) pen.fillText(text, x + 4, track.y + track.height / 2);
    }
  }

  /** Waveforms at several scales: the first as it came, each next of sixteen of the one before. */
  /** @param {Session} session @param {string} lane */
  mipsOf(session, lane) {
    const key = session.key + lane;
    const source = session.peaks[lane];
    let levels = this.mips.get(key);
    if (!levels || levels[0] !== source) {
      levels = [source];
      while (levels[levels.length - 1].length > 4096) {
        const fine = levels[levels.length - 1];
        const coarse = new Int8Array(Math.ceil(fine.length / 32) * 2);
        for (let one = 0; one < coarse.length; one += 2) {
          let [low, high] = [127, -128];
          for (let place = one * 16; place < Math.min(one * 16 + 32, fine.length); place += 2) {
            if (fine[place] < low) low = fine[place];
            if (fine[place + 1] > high) high = fine[place + 1];
          }
          coarse[one] = low;
          coarse[one + 1] = high;
        }
        levels.push(coarse);
      }
      this.mips.set(key, levels);
    }
    return levels;
  }

  /** @param {CanvasRenderingContext2D} pen @param {any} track */
  paintSound(pen, track) {
    /** @type {Side} */
    const side = track.side;
    const session = side.session;
    const source = track.name === "user" ? "user" : "model";
    const middle = track.y + track.height / 2;
    pen.fillStyle = this.colours.faint;
    pen.fillRect(0, middle, this.width, 1);
    const stretches = session.facts.sound.lanes[source];
    for (const [place, stretch] of stretches.entries()) {
      const begin = this.x(side.toPage(stretch.begin_ns));
      const end = this.x(side.toPage(stretch.end_ns));
      const until = this.x(side.toPage(stretch.until_ns));
      if (end < 0 || begin > this.width) continue;
      const seq = stretch.seqs[0];
      const heardNs = stretch.heard_until_ns;
      let text = track.name === "user" ? "The user's sound" : `Generated: ${stretch.part ? stretch.part[0] : ""}`;
      if (track.name === "heard") {
        if (heardNs === null) {
          this.paintHatch(pen, begin, until, track, this.colours.faint);
          text = "Nobody tells how much of this was heard";
        } else {
          const cut = this.x(side.toPage(Math.min(heardNs, stretch.until_ns)));
          this.paintWave(pen, track, side, source, stretch, begin, cut, this.colours.heard, 1);
          text = `Heard${stretch.assumed ? ", as is assumed" : ""}: ${clockText(heardNs)} of ${clockText(stretch.end_ns)}`;
          if (heardNs < stretch.end_ns - 1e5) {
            // Where another sound is heard already, that is what is to be seen.
            this.paintHatch(pen, cut, until, track, this.colours.bad);
            this.paintHatch(pen, Math.max(cut, until), end, track, this.colours.bad, 0.15);
            pen.fillStyle = this.colours.bad;
            pen.fillRect(cut - 0.75, track.y + 2, 1.5, track.height - 4);
            const lost = ((stretch.length / sampleBytes(stretch) - stretch.heard) / stretch.rate_hz) * 1000;
            const after = stretches[place + 1]; // up to which there is room for words
            const room = after ? this.x(side.toPage(after.begin_ns)) : this.width;
            this.paintText(pen, `−${lengthText(lost)}`, cut + 4, Math.max(end, room), track.y + 9, this.colours.bad);
            text += `; ${lengthText(lost)} of it were cut off`;
          }
        }
      } else {
        const colour = track.name === "user" ? this.colours.user : this.colours.model;
        this.paintWave(pen, track, side, source, stretch, begin, until, colour, 1);
        if (end > until + 1) this.paintWave(pen, track, side, source, stretch, until, end, colour, 0.25);
      }
      this.hit(begin, track.y, Math.max(end - begin, 2), track.height, seq, side, text);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} pen @param {any} track @param {Side} side @param {string} source
   * @param {any} stretch @param {number} fromX @param {number} toX @param {string} colour @param {number} alpha
   */
  paintWave(pen, track, side, source, stretch, fromX, toX, colour, alpha) {
    const levels = this.mipsOf(side.session, source);
    const peakMs = side.session.facts.sound.peak_ms;
    const count = Math.ceil((stretch.length / sampleBytes(stretch) / stretch.rate_hz) * (1000 / peakMs));
    const perNs = count / (stretch.end_ns - stretch.begin_ns || 1);
    const middle = track.y + track.height / 2;
    const scale = (track.height / 2 - 3) / 128;
    const perPixel = (this.range.span / this.width) * perNs;
    let level = 0;
    while (level + 1 < levels.length && perPixel > 24 * 16 ** level) level++;
    const peaks = levels[level];
    const each = 16 ** level;
    pen.fillStyle = colour;
    pen.globalAlpha = alpha;
    const last = Math.min(toX, this.width);
    for (let x = Math.max(Math.floor(fromX), 0); x < last; x++) {
      const a = (side.fromPage(this.ns(x)) - stretch.begin_ns) * perNs;
      const b = (side.fromPage(this.ns(x + 1)) - stretch.begin_ns) * perNs;
      let first = Math.floor((stretch.peak + Math.max(a, 0)) / each);
      let end = Math.ceil((stretch.peak + Math.min(b, count)) / each);
      if (end <= first) end = first + 1;
      let [low, high] = [0, 0];
      for (let one = first; one < end; one++) {
        if (peaks[one * 2] < low) low = peaks[one * 2];
        if (peaks[one * 2 + 1] > high) high = peaks[one * 2 + 1];
      }
      const top = middle - high * scale;
      pen.fillRect(x, top, 1, Math.max((high - low) * scale, 1));
    }
    pen.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} from @param {number} to @param {any} track @param {string} colour @param {number} [alpha] */
  paintHatch(pen, from, to, track, colour, alpha = 0.45) {
    const [left, right] = [Math.max(from, 0), Math.min(to, this.width)];
    if (right <= left) return;
    pen.save();
    pen.beginPath();
    pen.rect(left, track.y + 4, right - left, track.height - 8);
    pen.clip();
    pen.strokeStyle = colour;
    pen.globalAlpha = alpha;
    pen.lineWidth = 1;
    pen.beginPath();
    const phase = from % 7;
    for (let x = left - track.height - ((left - phase) % 7); x < right; x += 7) {
      pen.moveTo(x, track.y + track.height);
      pen.lineTo(x + track.height, track.y);
    }
    pen.stroke();
    pen.restore();
  }

  /** @param {CanvasRenderingContext2D} pen @param {string} text @param {number} from @param {number} to @param {number} y @param {string} colour */
  paintText(pen, text, from, to, y, colour) {
    const left = Math.max(from, 3);
    const room = Math.min(to, this.width) - left - 3;
    if (room < 14) return;
    let shown = visible(text);
    const width = pen.measureText(shown).width;
    if (width > room) {
      shown = shown.slice(0, Math.max(Math.floor((shown.length * room) / width) - 1, 0));
      if (shown.length < 2) return;
      shown += "…";
    }
    pen.fillStyle = colour;
    pen.textAlign = "left";
    pen.fillText(shown, left, y);
  }

  /** What the player did: it plays, stands still or waits for more; and how that ended. */
  /** @param {CanvasRenderingContext2D} pen @param {any} track */
  paintPlayback(pen, track) {
    /** @type {Side} */
    const side = track.side;
    /** @type {Map<string, number>} how much of each sound was played before */
    const most = new Map();
    for (const one of side.session.facts.story.playback) {
      const part = JSON.stringify([one.item_id, one.content_index]);
      const again = one.from_ms < (most.get(part) ?? 0);
      most.set(part, Math.max(one.to_ms, most.get(part) ?? 0));
      const begin = this.x(side.toPage(one.begin_ns));
      const end = Math.max(this.x(side.toPage(one.end_ns)), begin + 2);
      if (end < 0 || begin > this.width) continue;
      const colour = one.doing === "waiting" ? this.colours.mark : this.colours.heard;
      if (one.doing === "playing") {
        pen.globalAlpha = one.assumed ? 0.12 : 0.26;
        pen.fillStyle = colour;
        pen.fillRect(begin, track.y + 4, end - begin, track.height - 8);
        pen.globalAlpha = 1;
      } else this.paintHatch(pen, begin, end, track, colour);
      pen.fillStyle = colour;
      pen.fillRect(begin, track.y + 4, 1.5, track.height - 8);
      if (one.ended) {
        pen.fillStyle = one.ended === "interrupted" ? this.colours.bad : one.ended === "finished" ? this.colours.heard : this.colours.quiet;
        pen.fillRect(end - 2, track.y + 2, 2, track.height - 4);
      }
      const stood = lengthText((one.end_ns - one.begin_ns) / 1e6);
      const text = one.doing === "playing" ? `${again ? "again: " : ""}${one.assumed ? "~" : ""}${lengthText(one.to_ms)}` : `${one.doing} ${stood}`;
      this.paintText(pen, one.ended ? `${text}, ${one.ended}` : text, begin + 5, end - 2, track.y + track.height / 2, this.colours.ink);
      this.hit(begin, track.y, end - begin, track.height, one.seq, side, playbackText(one) + (again ? "; some of it was played before" : ""));
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {any} track */
  paintWords(pen, track) {
    /** @type {Side} */
    const side = track.side;
    for (const one of utterances(side.session)) {
      const begin = this.x(side.toPage(one.beginNs));
      const end = Math.max(this.x(side.toPage(one.endNs)), begin + 3);
      if (end < 0 || begin > this.width) continue;
      const y = track.y + 3 + (one.role === "user" ? 0 : 20);
      const colour = one.role === "user" ? this.colours.user : this.colours.heard;
      pen.globalAlpha = 0.16;
      pen.fillStyle = colour;
      pen.fillRect(begin, y, end - begin, 18);
      pen.globalAlpha = 1;
      pen.fillStyle = colour;
      pen.fillRect(begin, y, 2, 18);
      this.paintText(pen, one.text || (one.role === "user" ? "(speech)" : "(sound)"), begin + 6, end, y + 9.5, this.colours.ink);
      this.hit(begin, y, end - begin, 18, one.seq, side, `${one.role === "user" ? "User" : "Model"}: ${one.text}`);
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {any} track */
  paintResponses(pen, track) {
    /** @type {Side} */
    const side = track.side;
    const endOfAll = side.session.durationNs;
    for (const one of side.session.facts.story.responses) {
      const begin = this.x(side.toPage(one.began_ns));
      const end = Math.max(this.x(side.toPage(one.ended_ns ?? endOfAll)), begin + 2);
      if (end < 0 || begin > this.width) continue;
      const bad = ["failed", "incomplete"].includes(one.status);
      const colour = bad ? this.colours.bad : one.status === "cancelled" ? this.colours.mark : this.colours.model;
      pen.globalAlpha = 0.22;
      pen.fillStyle = colour;
      pen.fillRect(begin, track.y + 4, end - begin, track.height - 8);
      pen.globalAlpha = 1;
      if (one.first_sound_ns !== null) {
        pen.fillStyle = colour;
        pen.fillRect(this.x(side.toPage(one.first_sound_ns)), track.y + 4, 1.5, track.height - 8);
      }
      pen.fillStyle = colour;
      pen.fillRect(begin, track.y + 4, 2, track.height - 8);
      const asked = one.asked_by ? `, asked by ${one.asked_by}` : "";
      const text = `${one.status}${asked}${one.reason ? ": " + one.reason : ""}`;
      this.paintText(pen, text, begin + 6, end, track.y + track.height / 2, this.colours.ink);
      this.hit(begin, track.y, end - begin, track.height, one.seq, side, `Response ${shortId(one.response_id)}: ${text}`);
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {any} track */
  paintTools(pen, track) {
    /** @type {Side} */
    const side = track.side;
    this.toolRows(side).forEach((row, number) => {
      for (const call of row) {
        const begin = this.x(side.toPage(call.began_ns));
        const end = Math.max(this.x(side.toPage(call.ended_ns ?? side.session.durationNs)), begin + 3);
        if (end < 0 || begin > this.width) continue;
        const y = track.y + 4 + number * 18;
        pen.globalAlpha = call.ended_ns === null ? 0.14 : 0.3;
        pen.fillStyle = this.colours.tool;
        pen.fillRect(begin, y, end - begin, 15);
        pen.globalAlpha = 1;
        pen.fillStyle = this.colours.tool;
        pen.fillRect(begin, y, 2, 15);
        const ms = call.ended_ns === null ? null : (call.ended_ns - call.began_ns) / 1e6;
        const text = `${call.name} ${ms === null ? "never answered" : lengthText(ms)}`;
        const after = row[row.indexOf(call) + 1];
        const room = after ? this.x(side.toPage(after.began_ns)) : this.width;
        this.paintText(pen, text, begin + 6, room, y + 8, this.colours.ink);
        this.hit(begin, y, Math.max(end - begin, 8), 16, call.seq, side, `${text}: ${call.name}(${call.arguments}) → ${call.output ?? "nothing"}`);
      }
    });
  }

  /** @param {CanvasRenderingContext2D} pen @param {any} track */
  paintEvents(pen, track) {
    /** @type {Side} */
    const side = track.side;
    const story = side.session.facts.story;
    const middle = track.y + track.height / 2;
    for (const one of story.connections) {
      const begin = this.x(side.toPage(one.began_ns));
      const end = this.x(side.toPage(one.ended_ns ?? side.session.durationNs));
      pen.fillStyle = this.colours.faint;
      pen.fillRect(begin, middle - 1, end - begin, 3);
      pen.fillStyle = this.colours.quiet;
      pen.fillRect(begin, middle - 5, 1.5, 10);
      pen.fillRect(end - 1.5, middle - 5, 1.5, 10);
      this.hit(begin - 4, track.y, 8, track.height, one.seq, side, "Connection");
    }
    for (const one of story.marks) {
      const x = this.x(side.toPage(one.at_ns));
      const end = one.until_ns ? this.x(side.toPage(one.until_ns)) : x;
      if (end < -6 || x > this.width + 6) continue;
      pen.fillStyle = one.bad ? this.colours.bad : this.colours.mark;
      if (end > x + 3) pen.fillRect(x, middle - 5, end - x, 10);
      pen.beginPath();
      pen.moveTo(x, middle - 5);
      pen.lineTo(x + 5, middle);
      pen.lineTo(x, middle + 5);
      pen.lineTo(x - 5, middle);
      pen.fill();
      this.hit(x - 6, track.y, 12, track.height, one.seq, side, one.text);
    }
    for (const mark of this.page.marks()) {
      const ns = side.name === "A" ? mark.at_a : mark.at_b;
      if (ns === null || ns === undefined) continue;
      const x = this.x(side.toPage(ns));
      pen.fillStyle = this.colours.bad;
      pen.fillRect(x - 1, track.y + 1, 3, track.height - 2);
      this.hit(x - 5, track.y, 10, track.height, side.name === "A" ? mark.seq_a : mark.seq_b, side, mark.summary);
    }
  }

  /** What lies over all lanes: interruptions, the selection, the chosen entry, the playhead. @param {CanvasRenderingContext2D} pen */
  paintOver(pen) {
    const height = this.height;
    for (const track of this.tracks()) {
      if (track.name !== "user") continue;
      for (const one of track.side.session.facts.story.interruptions) {
        const x = this.x(track.side.toPage(one.began_ns));
        pen.strokeStyle = this.colours.bad;
        pen.globalAlpha = 0.5;
        pen.setLineDash([3, 3]);
        pen.beginPath();
        pen.moveTo(x, track.y);
        pen.lineTo(x, track.y + track.height * 3);
        pen.stroke();
        pen.setLineDash([]);
        pen.globalAlpha = 1;
      }
    }
    for (const mark of this.page.marks()) {
      const [a, b] = [mark.at_a, mark.at_b];
      if (a === null || b === null || this.sides.length < 2) continue;
      pen.strokeStyle = this.colours.bad;
      pen.globalAlpha = 0.25;
      pen.beginPath();
      pen.moveTo(this.x(a), 22);
      pen.lineTo(this.x(this.sides[1].toPage(b)), height);
      pen.stroke();
      pen.globalAlpha = 1;
    }
    if (this.range.selected) {
      const [from, to] = this.range.selected.map((ns) => this.x(ns));
      pen.fillStyle = this.colours.cursor;
      pen.globalAlpha = 0.1;
      pen.fillRect(from, 0, to - from, height);
      pen.globalAlpha = 0.7;
      pen.fillRect(from, 0, 1, height);
      pen.fillRect(to - 1, 0, 1, height);
      pen.globalAlpha = 1;
    }
    const chosen = this.page.chosen();
    if (chosen) {
      const x = this.x(chosen.side.toPage(chosen.ns));
      pen.fillStyle = this.colours.ink;
      pen.globalAlpha = 0.35;
      pen.fillRect(x - 0.5, 22, 1, height);
      pen.globalAlpha = 1;
    }
    const x = this.x(this.page.now());
    pen.fillStyle = this.colours.cursor;
    pen.fillRect(x - 0.75, 0, 1.5, height);
    pen.beginPath();
    pen.moveTo(x - 5, 0);
    pen.lineTo(x + 5, 0);
    pen.lineTo(x, 8);
    pen.fill();
  }

  paintStrip() {
    const height = 30;
    const { pen, width } = this.prepare(this.strip, height);
    const side = this.sides[0];
    const length = this.range.length;
    const session = side.session;
    const saved = { from: this.range.from, to: this.range.to, width: this.width };
    this.range.from = 0;
    this.range.to = length;
    this.width = width;
    for (const [source, y, colour] of /** @type {[string, number, string][]} */ ([["user", 0, this.colours.user], ["model", 15, this.colours.model]]))
      for (const stretch of session.facts.sound.lanes[source]) {
        const track = { y, height: 15, side };
        const [begin, until] = [stretch.begin_ns, stretch.until_ns].map((ns) => this.x(side.toPage(ns)));
        this.paintWave(pen, track, side, source, stretch, begin, until, colour, 0.8);
      }
    this.range.from = saved.from;
    this.range.to = saved.to;
    this.width = saved.width;
    const left = Math.max((saved.from / length) * width, 0);
    const right = Math.min((saved.to / length) * width, width);
    pen.fillStyle = this.colours.paper;
    pen.globalAlpha = 0.62;
    pen.fillRect(0, 0, left, height);
    pen.fillRect(right, 0, width - right, height);
    pen.globalAlpha = 1;
    pen.strokeStyle = this.colours.quiet;
    pen.strokeRect(left + 0.5, 0.5, Math.max(right - left - 1, 3), height - 1);
    for (const one of session.facts.problems) {
      if (one.at_ns === null) continue;
      pen.fillStyle = this.colours.bad;
      pen.fillRect((side.toPage(one.at_ns) / length) * width - 1, height - 6, 3, 6);
    }
    pen.fillStyle = this.colours.cursor;
    pen.fillRect((this.page.now() / length) * width - 0.75, 0, 1.5, height);
  }

  describe() {
    const now = this.page.now();
    this.canvas.setAttribute("aria-valuemin", "0");
    this.canvas.setAttribute("aria-valuemax", String(Math.round(this.range.length / 1e6)));
    this.canvas.setAttribute("aria-valuenow", String(Math.round(now / 1e6)));
    this.canvas.setAttribute("aria-valuetext", `${clockText(now)} of ${clockText(this.range.length)}; ${visible(this.page.plays())}`);
  }

  // --- pointers ---------------------------------------------------------------------------------------

  /** @param {number} x @param {number} y @param {number} w @param {number} h @param {number} seq @param {Side} side @param {string} text */
  hit(x, y, w, h, seq, side, text) {
    this.hits.push({ x, y, w, h, seq, side, text });
  }

  /** @param {number} x @param {number} y */
  hitAt(x, y) {
    for (let one = this.hits.length - 1; one >= 0; one--) {
      const hit = this.hits[one];
      if (x >= hit.x && x <= hit.x + hit.w && y >= hit.y && y <= hit.y + hit.h) return hit;
    }
    return null;
  }

  /** @param {number} y */
  sideAt(y) {
    let found = this.sides[0];
    for (const track of this.tracks()) if (track.y <= y) found = track.side;
    return found;
  }

  listen() {
    const { canvas, range } = this;
    /** @type {Map<number, {x: number, y: number}>} */
    const held = new Map();
    let moved = 0;
    let selects = false;
    let startNs = 0;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      held.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
      moved = 0;
      selects = event.shiftKey || event.offsetY < 22;
      startNs = this.ns(event.offsetX);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return this.hover(event);
      const now = { x: event.offsetX, y: event.offsetY };
      moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
      if (held.size === 2) {
        const other = [...held].find(([id]) => id !== event.pointerId);
        if (other) {
          const gap = Math.abs(before.x - other[1].x);
          const wide = Math.abs(now.x - other[1].x);
          if (gap > 8 && wide > 8) range.zoom(gap / wide, this.ns((now.x + other[1].x) / 2));
        }
      } else if (selects) {
        if (moved > 4) range.select(startNs, this.ns(now.x));
      } else range.pan((before.x - now.x) / this.width);
      held.set(event.pointerId, now);
    });
    const release = (/** @type {PointerEvent} */ event) => {
      const known = held.delete(event.pointerId);
      if (!known || moved > 5 || event.type === "pointercancel" || held.size) return;
      const hit = this.hitAt(event.offsetX, event.offsetY);
      const side = this.sideAt(event.offsetY);
      if (!event.shiftKey) range.selected = null;
      this.page.seek(this.ns(event.offsetX), side);
      if (hit && event.offsetY >= 22) this.page.choose(hit.seq, hit.side);
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) range.pan(event.deltaX / this.width);
        else if (event.shiftKey) range.pan(event.deltaY / this.width);
        else range.zoom(Math.exp(Math.max(Math.min(event.deltaY, 300), -300) * 0.0022), this.ns(event.offsetX));
        event.preventDefault();
      },
      { passive: false },
    );
    let grabs = false;
    const go = (/** @type {PointerEvent} */ event) => {
      const ns = (event.offsetX / this.strip.clientWidth) * range.length;
      range.show(ns - range.span / 2, ns + range.span / 2);
    };
    this.strip.addEventListener("pointerdown", (event) => {
      grabs = true;
      this.strip.setPointerCapture(event.pointerId);
      go(event);
    });
    this.strip.addEventListener("pointermove", (event) => grabs && go(event));
    this.strip.addEventListener("pointerup", () => (grabs = false));
  }

  /** @param {PointerEvent} event */
  hover(event) {
    const hit = this.hitAt(event.offsetX, event.offsetY);
    this.tip.hidden = !hit;
    this.canvas.classList.toggle("over", !!hit);
    if (!hit) return;
    this.tip.textContent = visible(hit.text.length > 300 ? hit.text.slice(0, 300) + "…" : hit.text);
    const left = Math.min(event.offsetX + 14, this.width - 280);
    this.tip.style.left = `${Math.max(left, 4)}px`;
    this.tip.style.top = `${event.offsetY + 18}px`;
  }
}

/** A step of the ruler that people count in. @param {number} least nanoseconds */
function niceStep(least) {
  for (const unit of [1, 1e3, 1e6, 1e7, 1e8])
    for (const step of [1, 2, 5]) if (step * unit >= least) return step * unit;
  for (const seconds of [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400])
    if (seconds * SECOND >= least) return seconds * SECOND;
  return 864000 * SECOND;
}

/**
 * What was said, by whom, and where it lies on the clock: turns of the user, and sounds and texts of the model.
 * @param {Session} session
 * @returns {{role: string, text: string, beginNs: number, endNs: number, seq: number, heard: any}[]}
 */
function utterances(session) {
  return session.facts.story.said;
}

/** What a player did for a while, in words. @param {any} span */
function playbackText(span) {
  const { doing, begin_ns, end_ns, from_ms, to_ms, ended } = span;
  const which = shortId(span.item_id) + (span.content_index ? `, part ${span.content_index}` : "");
  const assumed = span.assumed ? ", as is assumed" : "";
  const what = {
    playing: `${which} plays from ${lengthText(from_ms)} to ${lengthText(to_ms)}`,
    paused: `${which} is paused at ${lengthText(to_ms)} for ${lengthText((end_ns - begin_ns) / 1e6)}`,
    waiting: `${which} waits at ${lengthText(to_ms)} for more to come, for ${lengthText((end_ns - begin_ns) / 1e6)}`,
  }[/** @type {string} */ (doing)];
  return `${what}${assumed}${ended ? `; ${ENDED[ended]}` : ""}`;
}

/** @type {Record<string, string>} how the playing of a sound ends */
const ENDED = {
  finished: "finished: all that came was played",
  interrupted: "interrupted",
  left: "left, for something else or nothing",
  open: "open: here the recording ends",
};

/** What is being played at an instant, and how far. @param {Session} session @param {number} ns */
function playbackAt(session, ns) {
  const spans = session.facts.story.playback;
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle].begin_ns <= ns) low = middle + 1;
    else high = middle;
  }
  const span = spans[low - 1];
  if (!span) return "nothing plays";
  const { item_id, doing, begin_ns, end_ns, from_ms, to_ms, ended, assumed } = span;
  const ms = from_ms + (Math.min((ns - begin_ns) / (end_ns - begin_ns || 1), 1)) * (to_ms - from_ms);
  const place = `${shortId(item_id)} at ${assumed ? "~" : ""}${lengthText(ms)}`;
  if (ns < end_ns) return `${place}, ${doing}`;
  return ended === "open" ? `${place}, open` : `nothing plays; ${place}, ${ended || doing}`;
}
