// One client and its upstream session.

import WebSocket from "ws";
import { Converter, UPSTREAM_RATE } from "./audio.js";
import { Replies, nameOf } from "./replies.js";
import { readSettings, sessionOf } from "./settings.js";
import { isObject, parse, record, string } from "./values.js";

const QUIET = 400; // ms of quiet that end a turn
const LONGEST = 2400; // ms that audio of a stream may wait
const SHORTEST = 100; // ms that the API needs for a commit
const STUCK = 20000;
const LARGEST_APPEND = 3 * 1024 * 1024;
const EARLY_LIMIT = 64 * 1024 * 1024;
const ACTIVE = "conversation_already_has_active_response";

/** A defect to have on purpose, for those who test the harness. */
const DEFECT = process.env.DEFECT ?? "";

export class Session {
  constructor(client, upstreamUrl, headers) {
    this.client = client;
    this.phase = "connecting";
    this.settings = null;
    this.early = [];
    this.earlySize = 0;
    this.turns = [];
    this.requested = null;
    this.active = null;
    this.ended = new Set();
    this.confirmed = new Set();
    this.committed = new Set();
    this.transcripts = new Map();
    this.heldErrors = [];
    this.count = 0;
    this.endedAt = 0;
    this.heardAt = 0;
    this.resetAudio(new Converter());
    this.replies = new Replies((message) => this.down(message), () => (this.settings?.context ?? []).map((each) => each.content));
    this.upstream = new WebSocket(upstreamUrl, { headers, perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 });
    this.upstream.on("open", () => (this.phase = "open"));
    this.upstream.on("message", (data, isBinary) => this.guard(() => this.fromUpstream(data, isBinary)));
    this.upstream.on("close", (code, reason) => this.upstreamEnded(code, reason.toString()));
    this.upstream.on("error", (error) => (this.trouble = error.message));
    client.on("message", (data, isBinary) => this.guard(() => this.fromClient(data, isBinary)));
    client.on("close", () => this.clientLeft());
    client.on("error", () => {}); // "close" follows
    this.clock = setInterval(() => this.guard(() => this.tick(Date.now())), 40);
  }

  guard(work) {
    try {
      work();
    } catch (error) {
      console.error(error);
      this.client.close(1011, "the proxy failed");
    }
  }

  down(message) {
    if (this.client.readyState !== WebSocket.OPEN) return;
    if (Buffer.isBuffer(message)) this.client.send(message, { binary: true });
    else this.client.send(JSON.stringify(message));
  }

  up(event) {
    const id = `va_${++this.count}`;
    if (this.upstream.readyState === WebSocket.OPEN) this.upstream.send(JSON.stringify({ ...event, event_id: id }));
    return id;
  }

  error(code, description) {
    this.down({ type: "Error", code, description });
  }

  // From the client

  fromClient(data, isBinary) {
    if (this.phase === "closed") return;
    if (isBinary) {
      if (DEFECT === "early-audio" && this.phase !== "connecting") this.append(data);
      else this.whenReady(() => this.hear(data), data.length);
      return;
    }
    const message = parse(data.toString());
    if (!message) return this.error("invalid_message", "A text frame must hold a JSON object with a type.");
    switch (message.type) {
      case "Settings":
        return this.onSettings(message);
      case "InjectUserMessage":
        if (typeof message.content !== "string") return this.error("invalid_message", "content must be a string");
        return this.whenReady(() => this.inject(message.content), data.length);
      case "FunctionCallResponse":
        if (typeof message.id !== "string" || !["content", "result", "error"].some((name) => (message[name] ?? null) !== null)) {
          return this.error("invalid_message", "FunctionCallResponse needs an id and an output");
        }
        return this.whenReady(() => this.answer(message), data.length);
      case "KeepAlive":
        return;
      default:
        return this.error("disallowed_client_message_type", `${message.type.slice(0, 80)} is not a message of a client`);
    }
  }

  whenReady(act, size) {
    if (this.phase === "ready") return act();
    this.early.push(act);
    this.earlySize += size;
    if (this.earlySize > EARLY_LIMIT) this.client.close(1009, "too much before the session was ready");
  }

  onSettings(message) {
    if (this.settings) return this.whenReady(() => this.down({ type: "SettingsApplied" }), 0);
    try {
      this.settings = readSettings(message);
    } catch (error) {
      return this.error("invalid_settings", error.message);
    }
    this.askedAt = Date.now();
    this.update();
  }

  update() {
    if (!this.settings || this.phase !== "created" || this.responding) return;
    this.phase = "updating";
    this.updateId = this.up({ type: "session.update", session: sessionOf(this.settings) });
  }

  ready() {
    if (this.phase !== "updating") return;
    this.phase = "ready";
    this.resetAudio(new Converter(this.settings.encoding, this.settings.rate));
    this.down({ type: "SettingsApplied" });
    if (this.settings.greeting && !this.settings.context.length) {
      this.down({ type: "ConversationText", role: "assistant", content: this.settings.greeting });
      this.down({ type: "AgentAudioDone" });
    }
    const early = this.early;
    this.early = [];
    for (const act of early) act();
  }

  inject(content) {
    this.down({ type: "ConversationText", role: "user", content });
    this.create("message", { type: "message", role: "user", content: [{ type: "input_text", text: content }] });
  }

  answer(message) {
    const call = this.replies.calls.get(message.id);
    if (call?.answered) return this.error("duplicate_function_response", "this call has been answered");
    if (call) call.answered = true;
    const result = message.content ?? message.result;
    const value = (message.error ?? null) === null ? result : { error: message.error, result };
    const output = typeof value === "string" ? value : JSON.stringify(value);
    this.create("output", { type: "function_call_output", call_id: message.id, output }, call?.response);
  }

  // Turns

  get responding() {
    return this.requested !== null || this.active !== null;
  }

  create(kind, item, response = null) {
    const itemId = `va_item_${this.count + 1}`;
    const eventId = this.up({ type: "conversation.item.create", item: { id: itemId, ...item } });
    this.queue({ kind, eventId, itemId, item, response, confirmed: DEFECT === "eager-response" });
  }

  queue(turn) {
    this.turns.push({ since: Date.now(), freeAt: 0, refusals: 0, ...turn });
    this.respond();
  }

  answerable(turn, now) {
    if (!turn.confirmed || turn.freeAt > now) return false;
    if (turn.kind !== "output" || !turn.response) return true;
    const siblings = [...this.replies.calls].filter(([, call]) => call.response === turn.response);
    const open = this.turns.filter((each) => !each.confirmed).map((each) => each.item?.call_id);
    return siblings.every(([id, call]) => call.answered && !open.includes(id));
  }

  respond(now = Date.now()) {
    if (this.responding) return;
    const turns = this.turns.filter((turn) => this.answerable(turn, now));
    if (!turns.length) return;
    this.turns = this.turns.filter((turn) => !turns.includes(turn));
    this.requested = { eventId: this.up({ type: "response.create" }), turns, at: now };
    this.lastRequest = this.requested;
  }

  confirm(item) {
    const id = string(item.id);
    const open = this.turns.filter((turn) => !turn.confirmed);
    let turn = open.find((each) => each.itemId === id);
    if (!turn && !id.startsWith("va_item_") && !this.confirmed.has(id)) turn = open.find((each) => this.resembles(each, item));
    if (id) this.confirmed.add(id);
    if (turn) {
      turn.confirmed = true;
      turn.itemId = id;
      if (turn.kind === "audio") this.committed.add(id);
    }
    this.respond();
  }

  resembles(turn, item) {
    const parts = Array.isArray(item.content) ? item.content : [];
    if (turn.kind === "output") return item.type === "function_call_output" && item.call_id === turn.item.call_id;
    if (turn.kind === "audio") return !turn.itemId && item.role === "user" && parts.some((part) => part?.type === "input_audio");
    return item.role === "user" && parts.map((part) => part?.text).join() === turn.item.content.map((part) => part.text).join();
  }

  onCommitted(id) {
    if (this.committed.has(id)) return;
    this.committed.add(id);
    const turn = this.turns.find((each) => each.kind === "audio" && each.eventId && !each.itemId);
    if (turn) {
      turn.itemId = id;
      turn.committedAt = Date.now();
      turn.confirmed = this.confirmed.has(id);
      return this.respond();
    }
    this.forgetAudio();
    const mayAnswerItself = this.settings?.idle === undefined || this.nudged === id;
    this.queue({
      kind: "audio",
      itemId: id,
      committedAt: Date.now(),
      confirmed: this.confirmed.has(id),
      serverAnswers: mayAnswerItself,
      freeAt: mayAnswerItself ? Date.now() + 500 : 0,
    });
  }

  // Audio up

  resetAudio(converter) {
    this.converter = converter;
    this.forgetAudio();
    this.lastAudio = 0;
  }

  forgetAudio() {
    this.waiting = 0;
    this.waitingUp = 0;
  }

  hear(chunk) {
    if (!chunk.length) return;
    const now = Date.now();
    if (!this.waiting) this.waitingSince = now;
    this.waiting += chunk.length;
    this.lastAudio = now;
    this.append(this.converter.convert(chunk));
  }

  append(audio) {
    for (let start = 0; start < audio.length; start += LARGEST_APPEND) {
      const piece = audio.subarray(start, start + LARGEST_APPEND);
      this.waitingUp += piece.length;
      this.up({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
    }
  }

  commitIfDue(now) {
    if (this.settings?.idle !== undefined) {
      if (this.lastAudio && now - this.lastAudio > QUIET) this.append(this.converter.flush());
      return;
    }
    const isRest = this.waiting > 0 && this.waitingSince < this.endedAt;
    if (this.active !== null || (this.converter.milliseconds(this.waiting) < SHORTEST && !isRest)) return;
    if (this.requested && now - this.requested.at < 1500) return;
    if (now - this.lastAudio < QUIET && now - Math.max(this.waitingSince, this.endedAt) < LONGEST) return;
    this.append(this.converter.flush());
    const missing = (UPSTREAM_RATE / 1000) * SHORTEST * 2 - this.waitingUp;
    if (missing > 0) this.append(Buffer.alloc(missing));
    const eventId = this.up({ type: "input_audio_buffer.commit" });
    this.forgetAudio();
    this.queue({ kind: "audio", eventId, itemId: null, confirmed: false });
  }

  // From the upstream

  fromUpstream(data, isBinary) {
    if (this.phase === "closed") return;
    const event = isBinary ? null : parse(data.toString());
    if (!event) return this.error("unreadable_upstream_message", "The upstream sent a frame that cannot be read.");
    const type = nameOf(event.type);
    if (type.startsWith("response.")) return this.onResponse(type, event);
    const item = record(event.item);
    switch (type) {
      case "error":
        return this.onError(record(event.error));
      case "session.created":
        if (this.phase === "open") this.phase = "created";
        return this.update();
      case "session.updated":
        return this.ready();
      case "conversation.item.added":
      case "conversation.item.done":
        this.confirm(item);
        if (this.active !== null && item.role !== "user") this.replies.item(this.active, item, type.endsWith("done"));
        return;
      case "input_audio_buffer.committed":
        return this.onCommitted(string(event.item_id));
      case "input_audio_buffer.timeout_triggered":
        this.nudged = string(event.item_id);
        return;
      case "input_audio_buffer.speech_started":
        return this.down({ type: "UserStartedSpeaking", ...pick(event, ["channel"]) });
      case "input_audio_buffer.speech_stopped":
        return this.down({ type: "UtteranceEnd", ...pick(event, ["channel", "last_word_end"]) });
      case "conversation.item.input_audio_transcription.delta": {
        const delta = isObject(event.delta) ? string(event.delta.text) : string(event.delta);
        const heard = (this.transcripts.get(event.item_id) ?? "") + delta;
        this.transcripts.set(event.item_id, heard);
        return this.transcript(heard, false, event);
      }
      case "conversation.item.input_audio_transcription.completed":
        this.transcripts.delete(event.item_id);
        return this.transcript(string(event.transcript), true, event);
      default:
    }
  }

  transcript(transcript, isFinal, event) {
    this.down({ type: "Transcript", transcript, is_final: isFinal, ...pick(event, ["start", "duration", "channel"]) });
  }

  onResponse(type, event) {
    const whole = record(event.response);
    const id = string(event.response_id) || string(whole.id) || this.active || "";
    this.heardAt = Date.now();
    if (type === "response.created") return this.began(id);
    if (this.active === null && this.requested && !this.ended.has(id)) this.began(id);
    switch (type.slice("response.".length)) {
      case "done":
        return this.onDone(id, whole);
      case "output_audio.delta":
        return this.replies.audio(id, event.delta);
      case "output_text.delta":
      case "output_audio_transcript.delta":
        return this.replies.streamed(id, event);
      case "output_text.done":
      case "output_audio_transcript.done":
      case "content_part.done":
        return this.replies.finished(id, event, Date.now());
      case "function_call_arguments.done":
        return this.replies.call(id, event);
      case "output_item.added":
      case "output_item.done":
        return this.replies.item(id, record(event.item), type.endsWith("done"));
      default:
    }
  }

  began(id) {
    if (this.ended.has(id) || (id && id === this.active)) return;
    if (!this.requested) this.turns = this.turns.filter((turn) => !(turn.confirmed && turn.serverAnswers));
    this.active = id;
    this.requested = null;
  }

  onDone(id, whole) {
    const first = !this.ended.has(id);
    this.replies.over(id, whole.output);
    if (!first) return;
    if (id) this.ended.add(id);
    this.active = this.requested = null;
    this.endedAt = Date.now();
    const error = record(record(whole.status_details).error);
    if (whole.status === "failed") this.error(error.code ?? null, string(error.message) || "The response failed.");
    this.releaseErrors();
    this.respond();
    this.update();
  }

  onError(error) {
    const code = typeof error.code === "string" ? error.code : null;
    const eventId = string(error.event_id) || null;
    if (this.phase === "updating" && (eventId ? eventId === this.updateId : error.type === "invalid_request_error")) {
      this.phase = "created";
      this.settings = null;
    }
    if (code === ACTIVE && this.retry(eventId)) return;
    if (this.requested && eventId === this.requested.eventId) this.requested = null;
    if (eventId) this.turns = this.turns.filter((turn) => turn.eventId !== eventId);
    else if (code === "input_audio_buffer_commit_empty") {
      const ours = this.turns.find((turn) => turn.kind === "audio" && turn.eventId && !turn.confirmed);
      this.turns = this.turns.filter((turn) => turn !== ours);
    }
    const description = string(error.message) || "The upstream reported an error.";
    if (DEFECT === "swallowed-errors") return;
    if (code === "idle_timeout" && this.responding && !this.replies.hasText(this.active)) {
      this.heldErrors.push({ code, description, until: Date.now() + 4000 });
    } else this.error(code, description);
    this.respond();
  }

  retry(eventId) {
    const request = this.lastRequest;
    if (!request || (eventId !== request.eventId && (eventId !== null || !this.responding))) return true;
    this.lastRequest = null;
    if (this.requested === request) this.requested = null;
    if (request.turns.some((turn) => turn.refusals >= 5)) return false;
    const freeAt = this.active === null ? Date.now() + 1000 : 0;
    this.turns.unshift(...request.turns.map((turn) => ({ ...turn, freeAt, refusals: turn.refusals + 1 })));
    return true;
  }

  releaseErrors() {
    for (const { code, description } of this.heldErrors.splice(0)) this.error(code, description);
  }

  // Time

  tick(now) {
    if (this.phase === "closed") return;
    if (this.settings && this.phase !== "ready" && now - this.askedAt > STUCK) {
      this.error("upstream_timeout", "The upstream did not make the session ready.");
      return this.finish(1011, "the upstream did not answer");
    }
    this.replies.flush(now);
    if (this.heldErrors.length && (this.heldErrors[0].until <= now || this.replies.hasText(this.active))) this.releaseErrors();
    if (this.phase !== "ready") return;
    for (const turn of this.turns) if (turn.kind === "audio" && turn.itemId && now - turn.committedAt > 2000) turn.confirmed = true;
    if (this.turns.length && this.requested && now - this.requested.at > 10000) this.requested = null;
    this.respond(now);
    this.commitIfDue(now);
    const stuck = this.turns.filter((turn) => {
      if (turn.confirmed && !this.responding) return false;
      return now - Math.max(turn.since, turn.confirmed ? this.heardAt : 0) > STUCK;
    });
    if (stuck.length) {
      this.turns = this.turns.filter((turn) => !stuck.includes(turn));
      this.error("upstream_timeout", "The upstream never confirmed what this turn waits for.");
    }
  }

  // The ends

  upstreamEnded(code, reason) {
    if (this.phase === "closed") return;
    this.replies.flush();
    this.releaseErrors();
    if (this.phase !== "ready" || code !== 1000 || this.turns.length || this.responding) {
      this.error("upstream_closed", `The upstream ended the connection (${code}) ${reason || (this.trouble ?? "")}`.trim());
      if (code === 1000) code = 1011;
    }
    const sendable = (code >= 3000 && code < 5000) || [1000, 1001, 1002, 1003, 1008, 1009, 1011].includes(code);
    this.finish(sendable ? code : 1011, reason.slice(0, 40));
  }

  finish(code, reason) {
    this.phase = "closed";
    clearInterval(this.clock);
    this.client.close(code, reason);
    this.upstream.terminate();
  }

  clientLeft() {
    this.phase = "closed";
    clearInterval(this.clock);
    if (this.upstream.readyState === WebSocket.OPEN) this.upstream.close(1000);
    else this.upstream.terminate();
  }
}

function pick(event, names) {
  return Object.fromEntries(names.filter((name) => name in event).map((name) => [name, event[name]]));
}
