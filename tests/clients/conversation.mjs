// What every client on Node does, and what it tells of it: conversation.py says the same for Python.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

export const TEXTS = ["Hello?", "How is the weather in Prague?"];
export const TOOL = {
  type: "function",
  name: "weather",
  description: "Today's weather.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};
const PIECE_BYTES = 4800; // 100 ms
const WAV_HEADER_BYTES = 44;
const SILENCE_BYTES = 48000;

export const answered = () => "sunny";

export function* pieces() {
  const question = readFileSync(process.env.REALTAPE_SPEECH).subarray(WAV_HEADER_BYTES);
  const pcm = Buffer.concat([question, Buffer.alloc(SILENCE_BYTES)]);
  for (let at = 0; at < pcm.length; at += PIECE_BYTES) yield pcm.subarray(at, at + PIECE_BYTES);
}

export class Told {
  said = [];
  audio = [];
  calls = [];
  #waiting = [];
  #answers = 0;

  // A server's event, whoever parsed it.
  event(event) {
    if (event.type === "response.output_audio.delta") this.audio.push(Buffer.from(event.delta, "base64"));
    if (event.type === "response.output_audio_transcript.done") this.said.push(event.transcript);
    if (event.type !== "response.done") return;
    const calls = event.response.output.filter((one) => one.type === "function_call");
    for (const call of calls) this.calls.push([call.name, JSON.parse(call.arguments)]);
    if (calls.length === 0) {
      this.#answers += 1;
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  // Up to the nth answer that calls no tool.
  async answer(number) {
    while (this.#answers < number) await new Promise((resolve) => this.#waiting.push(resolve));
  }

  print() {
    const audio = Buffer.concat(this.audio);
    const digest = createHash("sha256").update(audio).digest("hex");
    console.log(
      JSON.stringify({ said: this.said, audio: digest, audio_bytes: audio.length, calls: this.calls }),
    );
  }
}
