// The `openai` package on Node, which insists on wss://.
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { TEXTS, TOOL, Told, answered, pieces } from "./conversation.mjs";

const baseURL = process.env.REALTAPE_URL.split("?")[0].replace(/^ws/, "http").replace(/\/realtime$/, "");
const client = new OpenAI({ apiKey: "any", baseURL });
const realtime = new OpenAIRealtimeWS({ model: "local" }, client);
const told = new Told();

realtime.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
realtime.on("event", (event) => told.event(event));
realtime.on("response.done", (event) => {
  for (const call of event.response.output.filter((one) => one.type === "function_call")) {
    const item = { type: "function_call_output", call_id: call.call_id, output: answered() };
    realtime.send({ type: "conversation.item.create", item });
    realtime.send({ type: "response.create" });
  }
});
await new Promise((resolve) => realtime.socket.on("open", resolve));
realtime.send({
  type: "session.update",
  session: {
    type: "realtime",
    audio: { input: { turn_detection: { type: "server_vad" } } },
    tools: [TOOL],
  },
});
for (const [number, text] of TEXTS.entries()) {
  const item = { type: "message", role: "user", content: [{ type: "input_text", text }] };
  realtime.send({ type: "conversation.item.create", item });
  realtime.send({ type: "response.create" });
  await told.answer(number + 1);
}
for (const piece of pieces()) {
  realtime.send({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
}
await told.answer(TEXTS.length + 1);
told.print();
realtime.close();
