// The official Node SDK against the mock: a text turn, an audio turn, a tool call, a cancel, a close. Prints one line of JSON.
// Run: NODE_EXTRA_CA_CERTS=authority.pem node openai.mjs https://127.0.0.1:8765/v1
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const client = new OpenAI({ apiKey: "sk-any", baseURL: process.argv[2] });
const realtime = new OpenAIRealtimeWS({ model: "gpt-realtime" }, client);
const events = [];
const waiting = [];
const errors = [];
realtime.on("error", (error) => errors.push(error.message));
realtime.on("event", (event) => {
  events.push(event);
  for (const wait of [...waiting]) {
    if (event.type === wait.type) {
      waiting.splice(waiting.indexOf(wait), 1);
      wait.resolve(event);
    }
  }
});
const next = (type) => new Promise((resolve) => waiting.push({ type, resolve }));
const say = (text) =>
  realtime.send({
    type: "conversation.item.create",
    item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
  });
const respond = async () => {
  const done = next("response.done");
  realtime.send({ type: "response.create" });
  return (await done).response;
};

await next("session.created");
const configure = async (session) => {
  const updated = next("session.updated");
  realtime.send({ type: "session.update", session: { type: "realtime", ...session } });
  await updated;
};

await configure({ output_modalities: ["text"], audio: { input: { turn_detection: null } } });
say("Hello?");
const text = await respond();

await configure({ output_modalities: ["audio"] });
realtime.send({ type: "input_audio_buffer.append", audio: Buffer.alloc(9600).toString("base64") });
const committed = next("input_audio_buffer.committed");
realtime.send({ type: "input_audio_buffer.commit" });
await committed;
const audio = await respond();
const bytes = events
  .filter((event) => event.type === "response.output_audio.delta")
  .reduce((sum, event) => sum + Buffer.from(event.delta, "base64").length, 0);

await configure({
  output_modalities: ["text"],
  tools: [{ type: "function", name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } }],
});
say("How is the weather in Paris?");
const called = next("response.function_call_arguments.done");
await respond();
const call = await called;
realtime.send({
  type: "conversation.item.create",
  item: { type: "function_call_output", call_id: call.call_id, output: "sunny" },
});
const answer = await respond();

say("Tell me a long story.");
const first = next("response.output_text.delta");
const cancelled = respond();
await first;
realtime.send({ type: "response.cancel" });
const ended = await cancelled;

const close = await new Promise((resolve) => {
  realtime.socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  realtime.close();
});
console.log(
  JSON.stringify({
    text: text.output[0].content[0].text,
    audio: { status: audio.status, bytes, transcript: audio.output[0].content[0].transcript },
    call: { name: call.name, arguments: call.arguments },
    answer: answer.output[0].content[0].text,
    cancel: ended.status_details,
    close,
    errors,
  }),
);
