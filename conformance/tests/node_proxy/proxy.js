// A small voice-agent proxy. PORT and UPSTREAM_URL say where; DEFECT gives it a defect on purpose:
// early-audio, eager-response or swallowed-errors.

import { WebSocketServer } from "ws";
import { Session } from "./session.js";

const { PORT, UPSTREAM_URL, OPENAI_API_KEY = "any-key" } = process.env;
if (!PORT || !UPSTREAM_URL) {
  console.error("set PORT and UPSTREAM_URL");
  process.exit(2);
}
const address = new URL(UPSTREAM_URL);
address.searchParams.set("model", "gpt-realtime");

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(PORT), maxPayload: 32 * 1024 * 1024 });
server.on("connection", (client) => new Session(client, address, { Authorization: `Bearer ${OPENAI_API_KEY}` }));
server.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
