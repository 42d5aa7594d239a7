// The Agents SDK for Node against the mock: a text turn, an audio turn, a tool call, a barge-in, a close. Prints one line of JSON.
// Run: NODE_EXTRA_CA_CERTS=authority.pem node agents.mjs 'wss://127.0.0.1:8765/v1/realtime?model=gpt-realtime'
import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";

const asked = [];
const weather = tool({
  name: "weather",
  description: "Tells the weather.",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    asked.push(city);
    return "sunny";
  },
});
const agent = new RealtimeAgent({ name: "Guide", instructions: "Be brief.", tools: [weather] });
const session = new RealtimeSession(agent, { transport: "websocket", model: "gpt-realtime" });

const errors = [];
const events = [];
let bytes = 0;
const waiting = [];
session.on("error", (error) => errors.push(error));
session.on("audio", (event) => (bytes += event.data.byteLength));
session.transport.on("*", (event) => {
  events.push(event);
  for (const wait of [...waiting]) {
    if (event.type === wait.type) {
      waiting.splice(waiting.indexOf(wait), 1);
      wait.resolve(event);
    }
  }
});
const next = (type) => new Promise((resolve) => waiting.push({ type, resolve }));
const done = async () => (await next("response.done")).response;

await session.connect({ apiKey: "sk-any", url: process.argv[2] });
let turn = done();
session.sendMessage("Hello?");
const hello = await turn;

const heard = next("input_audio_buffer.committed");
turn = done();
const voice = new Int16Array(24000);
for (let i = 0; i < 12000; i++) voice[i] = 9000 * Math.sin((i * 2 * Math.PI * 300) / 24000);
session.sendAudio(voice.buffer, { commit: true });
await heard;
session.transport.requestResponse?.();
const spoken = await turn;

turn = done();
session.sendMessage("How is the weather in Paris?");
await turn;
const answer = await done();

turn = done();
const sounding = next("response.output_audio.delta");
session.sendMessage("Tell me a long story.");
await sounding;
session.interrupt();
const interrupted = await turn;

session.close();
console.log(
  JSON.stringify({
    text: hello.output[0].content[0].transcript,
    audio: { status: spoken.status, bytes },
    asked,
    answer: answer.output[0].content[0].transcript,
    interrupt: interrupted.status_details,
    truncated: events.some((event) => event.type === "conversation.item.truncated"),
    history: session.history.length,
    errors,
  }),
);
process.exit(0);
