// @openai/agents-realtime on Node: its session, over its own websocket transport.
import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";
import { TEXTS, TOOL, Told, answered, pieces } from "./conversation.mjs";

const weather = tool({
  name: TOOL.name,
  description: TOOL.description,
  parameters: z.object({ city: z.string() }),
  execute: async () => answered(),
});
const agent = new RealtimeAgent({ name: "desk", instructions: "Be brief.", tools: [weather] });
const session = new RealtimeSession(agent, {
  transport: "websocket",
  tracingDisabled: true,
  config: { audio: { input: { turnDetection: { type: "server_vad" } } } },
});
const told = new Told();

session.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
session.transport.on("*", (event) => told.event(event));
await session.connect({ apiKey: "any", url: process.env.REALTAPE_URL });
for (const [number, text] of TEXTS.entries()) {
  session.sendMessage(text);
  await told.answer(number + 1);
}
for (const piece of pieces()) {
  session.sendAudio(piece.buffer.slice(piece.byteOffset, piece.byteOffset + piece.byteLength));
}
await told.answer(TEXTS.length + 1);
// What the session asked for by itself is answered first: to hang up in its midst would be at another place each time.
const cleared = new Promise((resolve) => {
  session.transport.on("*", (event) => event.type === "input_audio_buffer.cleared" && resolve());
});
session.transport.sendEvent({ type: "input_audio_buffer.clear" });
await cleared;
told.print();
session.close();
