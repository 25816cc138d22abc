"use strict";
// Sound: samples out of blocks, and the player that schedules them ahead.

const LANES = ["user", "model", "heard"];

/**
 * PCM16 out of a file that the browser decodes; at its own rate, or it would be computed anew.
 * @param {Uint8Array<ArrayBuffer>} file
 * @param {number} rateHz
 * @param {number} length of what comes out, in bytes
 */
async function decoded(file, rateHz, length) {
  const buffer = await new OfflineAudioContext(1, 1, rateHz).decodeAudioData(file.buffer);
  const samples = buffer.getChannelData(0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let place = 0; place < Math.min(length >> 1, samples.length); place++)
    view.setInt16(place * 2, Math.max(Math.min(Math.round(samples[place] * 32768), 32767), -32768), true);
  return bytes;
}

/**
 * Samples of a stretch, between -1 and 1.
 * @param {Session} session
 * @param {string} lane user or model
 * @param {any} stretch
 * @param {number} from in samples
 * @param {number} to
 */
async function samplesOf(session, lane, stretch, from, to) {
  const width = sampleBytes(stretch);
  const size = session.facts.sound.block;
  const begin = stretch.at + from * width;
  const end = stretch.at + to * width;
  const bytes = new Uint8Array(end - begin);
  for (let number = Math.floor(begin / size); number * size < end; number++) {
    const block = await session.soundBlocks.get(`${lane}/${number}`);
    const low = Math.max(begin - number * size, 0);
    const high = Math.min(end - number * size, block.length);
    if (high > low) bytes.set(block.subarray(low, high), number * size + low - begin);
  }
  const samples = new Float32Array(to - from);
  if (width === 2) {
    const view = new DataView(bytes.buffer);
    for (let place = 0; place < samples.length; place++) samples[place] = view.getInt16(place * 2, true) / 32768;
  } else {
    const table = session.facts.sound.g711[stretch.encoding];
    for (let place = 0; place < samples.length; place++) samples[place] = table[bytes[place]] / 32768;
  }
  return samples;
}

/** Stretches of a lane, and how far each of them sounds. @param {Session} session @param {string} lane */
function sounding(session, lane) {
  const source = lane === "user" ? "user" : "model";
  /** @type {{source: string, stretch: any, endNs: number}[]} */
  const found = [];
  for (const stretch of session.facts.sound.lanes[source]) {
    const heardNs = stretch.heard_until_ns;
    if (lane === "heard" && heardNs === null) continue;
    const endNs = lane === "heard" ? Math.min(heardNs, stretch.until_ns) : stretch.until_ns;
    if (endNs > stretch.begin_ns) found.push({ source, stretch, endNs });
  }
  return found;
}

/**
 * Put the sound of a lane between two instants into an audio graph.
 * @param {Session} session
 * @param {string} lane
 * @param {number} fromNs
 * @param {number} toNs
 * @param {BaseAudioContext} context
 * @param {AudioNode} into
 * @param {number} at the context's time of `fromNs`
 * @param {number} speed 1: as people speak
 * @param {() => boolean} [wanted] asked before each sound starts
 * @returns {Promise<AudioBufferSourceNode[]>}
 */
async function schedule(session, lane, fromNs, toNs, context, into, at, speed, wanted = () => true) {
  const made = [];
  const clock = SECOND / session.facts.pace / speed; // nanoseconds of the session in a second of the context
  for (const { source, stretch, endNs } of sounding(session, lane)) {
    const lowNs = Math.max(fromNs, stretch.begin_ns);
    const highNs = Math.min(toNs, endNs);
    if (highNs <= lowNs) continue;
    const total = stretch.length / sampleBytes(stretch);
    const perNs = total / (stretch.end_ns - stretch.begin_ns);
    const whole = lane === "heard" ? stretch.heard : total;
    const from = Math.min(Math.round((lowNs - stretch.begin_ns) * perNs), whole);
    const to = highNs === endNs && lane === "heard" && endNs === stretch.heard_until_ns
      ? whole
      : Math.min(Math.round((highNs - stretch.begin_ns) * perNs), whole);
    if (to <= from) continue;
    const samples = await samplesOf(session, source, stretch, from, to);
    if (!wanted()) return made;
    const buffer = context.createBuffer(1, samples.length, stretch.rate_hz);
    buffer.copyToChannel(samples, 0);
    const node = context.createBufferSource();
    node.buffer = buffer;
    node.playbackRate.value = ((to - from) / stretch.rate_hz / (highNs - lowNs)) * clock;
    if (Math.abs(node.playbackRate.value - 1) < 1e-4) node.playbackRate.value = 1;
    node.connect(into);
    const start = at + (lowNs - fromNs) / clock;
    const late = Math.max(context.currentTime - start, 0);
    node.start(start + late, late * node.playbackRate.value);
    made.push(node);
  }
  return made;
}

/**
 * A lane between two instants as samples, rendered as it is played at the speed of speech.
 * @param {Session} session
 * @param {string} lane
 * @param {number} fromNs
 * @param {number} toNs
 * @param {number} rateHz
 */
async function render(session, lane, fromNs, toNs, rateHz) {
  const seconds = ((toNs - fromNs) / SECOND) * session.facts.pace;
  const context = new OfflineAudioContext(1, Math.max(Math.round(seconds * rateHz), 1), rateHz);
  await schedule(session, lane, fromNs, toNs, context, context.destination, 0, 1);
  return (await context.startRendering()).getChannelData(0);
}

/**
 * Where a lane, or several, can be heard: spans of nanoseconds, by the waveforms.
 * @param {Session} session
 * @param {string[]} lanes
 */
function loudSpans(session, lanes) {
  /** @type {[number, number][]} */
  const spans = [];
  const peakMs = session.facts.sound.peak_ms;
  for (const lane of lanes)
    for (const { source, stretch, endNs } of sounding(session, lane)) {
      const peaks = session.peaks[source];
      const count = Math.ceil((stretch.length / sampleBytes(stretch) / stretch.rate_hz) * (1000 / peakMs));
      const each = (stretch.end_ns - stretch.begin_ns) / Math.max(count, 1);
      const pad = 12; // peaks on either side
      for (let one = 0; one < count; one++) {
        const at = (stretch.peak + one) * 2;
        if (peaks[at + 1] - peaks[at] < 4) continue;
        const low = Math.max(stretch.begin_ns + (one - pad) * each, 0);
        const high = Math.min(stretch.begin_ns + (one + 1 + pad) * each, endNs);
        if (high > low) spans.push([low, high]);
      }
    }
  spans.sort((a, b) => a[0] - b[0]);
  /** @type {[number, number][]} */
  const joined = [];
  for (const span of spans) {
    const last = joined[joined.length - 1];
    if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
    else joined.push([...span]);
  }
  return joined;
}

/** Plays lanes of a session: seconds of them are scheduled ahead, and nothing more is unpacked. */
class Player {
  /** @param {() => void} told called when something of it has changed */
  constructor(told) {
    this.told = told;
    /** @type {Session | null} */
    this.session = null;
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {Record<string, GainNode>} */
    this.gains = {};
    /** @type {Record<string, {muted: boolean, solo: boolean, volume: number}>} */
    this.mix = {
      user: { muted: false, solo: false, volume: 1 },
      model: { muted: true, solo: false, volume: 1 },
      heard: { muted: false, solo: false, volume: 1 },
    };
    this.speed = 1;
    this.skips = false;
    this.playing = false;
    this.ns = 0;
    /** @type {number | null} */
    this.stopsAt = null;
    this.run = 0; // what was scheduled for an earlier run is not played
    /** @type {{at: number, ns: number, perSecond: number}[]} */
    this.legs = [];
    /** @type {Set<AudioBufferSourceNode>} */
    this.nodes = new Set();
    /** @type {[number, number][]} */
    this.loud = [];
  }

  /** @param {Session} session */
  choose(session) {
    const playing = this.playing;
    this.pause();
    this.session = session;
    if (playing) this.play();
  }

  /** Where it is, in nanoseconds since the session began. */
  get now() {
    if (!this.playing || !this.context) return this.ns;
    const time = this.context.currentTime - (this.context.outputLatency || 0);
    let leg = null;
    for (const one of this.legs) if (one.at <= time) leg = one;
    const found = leg ? leg.ns + (time - leg.at) * leg.perSecond : this.ns;
    return Math.min(Math.max(found, 0), this.end);
  }

  get end() {
    return this.stopsAt ?? (this.session ? this.session.durationNs : 0);
  }

  /** @param {number} ns */
  seek(ns) {
    const playing = this.playing;
    if (playing) this.halt();
    this.stopsAt = null;
    this.ns = Math.min(Math.max(ns, 0), this.session ? this.session.durationNs : 0);
    if (playing) this.begin();
    this.told();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** @param {number} [untilNs] stop there */
  play(untilNs) {
    if (!this.session) return;
    if (this.playing) this.halt();
    this.stopsAt = untilNs ?? null;
    if (this.ns >= this.end - 1e6) this.ns = 0;
    if (!this.context) {
      this.context = new AudioContext({ latencyHint: "playback" });
      for (const lane of LANES) {
        this.gains[lane] = this.context.createGain();
        this.gains[lane].connect(this.context.destination);
      }
    }
    void this.context.resume();
    this.begin();
    this.told();
  }

  pause() {
    if (!this.playing) return;
    this.ns = this.now;
    this.halt();
    this.told();
  }

  /** @param {number} speed */
  setSpeed(speed) {
    const ns = this.now;
    const stopsAt = this.stopsAt;
    this.speed = Math.min(Math.max(speed, 0.25), 4);
    if (this.playing) {
      this.halt();
      this.ns = ns;
      this.stopsAt = stopsAt;
      this.begin();
    }
    this.told();
  }

  setMix() {
    const solo = LANES.some((lane) => this.mix[lane].solo);
    for (const lane of LANES) {
      const { muted, solo: alone, volume } = this.mix[lane];
      const gain = this.gains[lane];
      if (gain) gain.gain.value = (solo ? alone : !muted) ? volume : 0;
    }
    if (this.skips) this.setSpeed(this.speed);
    this.told();
  }

  audible() {
    const solo = LANES.some((lane) => this.mix[lane].solo);
    return LANES.filter((lane) => (solo ? this.mix[lane].solo : !this.mix[lane].muted));
  }

  begin() {
    if (!this.session || !this.context) return;
    this.playing = true;
    this.setGains();
    this.loud = this.skips ? loudSpans(this.session, this.audible()) : [];
    this.legs = [];
    void this.feed(++this.run, this.ns, this.context.currentTime + 0.06);
  }

  setGains() {
    const audible = this.audible();
    for (const lane of LANES)
      this.gains[lane].gain.value = audible.includes(lane) ? this.mix[lane].volume : 0;
  }

  halt() {
    this.ns = this.now;
    this.playing = false;
    this.run++;
    for (const node of this.nodes) node.stop();
    this.nodes.clear();
  }

  /** Schedule what comes next, some seconds at a time. @param {number} run @param {number} ns @param {number} at */
  async feed(run, ns, at) {
    const { session, context } = this;
    if (!session || !context) return;
    const wanted = () => this.run === run;
    const perSecond = (SECOND / session.facts.pace) * this.speed;
    while (wanted() && ns < this.end) {
      let until = Math.min(ns + 6 * perSecond, this.end);
      if (this.skips) {
        const span = this.loud.find((one) => one[1] > ns);
        if (!span) break;
        ns = Math.max(ns, span[0]);
        until = Math.min(until, span[1]);
      }
      this.legs.push({ at, ns, perSecond });
      for (const lane of LANES) {
        const made = await schedule(session, lane, ns, until, context, this.gains[lane], at, this.speed, wanted);
        for (const node of made) {
          this.nodes.add(node);
          node.onended = () => this.nodes.delete(node);
        }
        if (!wanted()) return;
      }
      at += (until - ns) / perSecond;
      ns = until;
      while (wanted() && at - context.currentTime > 4) await new Promise((done) => setTimeout(done, 250));
    }
    while (wanted() && context.currentTime < at) await new Promise((done) => setTimeout(done, 40));
    if (!wanted()) return;
    this.halt();
    this.ns = this.end;
    this.stopsAt = null;
    this.told();
  }
}
