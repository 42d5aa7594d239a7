// What the client hears of the upstream's responses: audio as it comes, each message's text once, each call once.

import { isObject, string } from "./values.js";

const GA_NAMES = {
  "response.text.delta": "response.output_text.delta",
  "response.text.done": "response.output_text.done",
  "response.audio.delta": "response.output_audio.delta",
  "response.audio_transcript.delta": "response.output_audio_transcript.delta",
  "response.audio_transcript.done": "response.output_audio_transcript.done",
  "conversation.item.created": "conversation.item.added",
};
export const nameOf = (type) => GA_NAMES[type] ?? type;

const TEXT_GRACE = 200;
const words = (value) =>
  typeof value === "string" ? value : isObject(value) ? (string(value.text) || string(value.transcript) || string(value.delta)) : "";
const said = (item) => (Array.isArray(item.content) ? item.content.map(words).join("") : "");

export class Replies {
  constructor(down, context) {
    this.down = down;
    this.context = context; // returns what the client said was said before
    this.responses = new Map();
    this.calls = new Map(); // call id -> {response, answered}
    this.names = new Map();
  }

  get(id) {
    if (!this.responses.has(id)) {
      this.responses.set(id, { spoke: false, over: false, called: false, messages: new Map() });
      if (this.responses.size > 50) this.responses.delete(this.responses.keys().next().value);
    }
    return this.responses.get(id);
  }

  message(reply, id) {
    if (!reply.messages.has(id)) reply.messages.set(id, { streamed: "", parts: [], item: "", due: 0, sent: false });
    return reply.messages.get(id);
  }

  audio(id, base64) {
    const reply = this.get(id);
    const bytes = Buffer.from(string(base64), "base64");
    if (reply.over || !bytes.length) return;
    this.speak(reply);
    this.down(bytes);
  }

  speak(reply) {
    if (!reply.spoke) this.down({ type: "AgentStartedSpeaking" });
    reply.spoke = true;
  }

  streamed(id, event) {
    this.message(this.get(id), string(event.item_id)).streamed += words(event.delta);
  }

  finished(id, event, now) {
    const message = this.message(this.get(id), string(event.item_id));
    message.parts[event.content_index ?? 0] = words(event.part ?? event);
    message.due = now + TEXT_GRACE;
  }

  item(id, item, isFinished) {
    const reply = this.get(id);
    if (item.type === "function_call") {
      reply.called = true;
      this.names.set(item.call_id, string(item.name));
      if (isFinished && (item.status ?? "completed") === "completed") this.call(id, item);
      return;
    }
    if (item.role !== "assistant" || this.context().includes(said(item))) return;
    const message = this.message(reply, string(item.id));
    message.item = said(item) || message.item;
    if (isFinished) this.text(reply, message);
  }

  call(id, call) {
    this.get(id).called = true;
    const callId = string(call.call_id);
    if (!callId || this.calls.has(callId)) return;
    this.calls.set(callId, { response: id, answered: false });
    const name = string(call.name) || this.names.get(callId) || "";
    const described = { id: callId, name, arguments: string(call.arguments), client_side: true };
    this.down({ type: "FunctionCallRequest", functions: [described] });
  }

  text(reply, message) {
    const content = [message.parts.join(""), message.item, message.streamed].find((each) => each.trim());
    if (!content || message.sent) return;
    message.sent = true;
    this.speak(reply);
    this.down({ type: "ConversationText", role: "assistant", content });
  }

  /** The response is over: what is left of it, then AgentAudioDone. */
  over(id, output) {
    const reply = this.get(id);
    for (const item of Array.isArray(output) ? output : []) if (isObject(item)) this.item(id, item, true);
    for (const message of reply.messages.values()) this.text(reply, message);
    if (!reply.over && (reply.spoke || !reply.called)) this.down({ type: "AgentAudioDone" });
    reply.over = true;
  }

  hasText(id) {
    return [...(this.responses.get(id)?.messages.values() ?? [])].some((message) => message.sent);
  }

  /** Send texts that have waited long enough for the rest of their message; all of them at the end. */
  flush(now = Infinity) {
    for (const reply of this.responses.values()) {
      for (const message of reply.messages.values()) {
        if (now === Infinity || (message.due && message.due <= now)) this.text(reply, message);
      }
    }
  }
}
