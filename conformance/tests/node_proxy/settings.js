// Settings of the client, and the session they ask of the upstream.

class Unusable extends Error {}

const need = (condition, path, kind) => {
  if (!condition) throw new Unusable(`${path} must be ${kind}`);
};
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const object = (parent, name, path) => {
  const value = parent[name] ?? {};
  need(isObject(value), path, "an object");
  return value;
};
const optional = (value, type, path) => {
  need(value === undefined || value === null || typeof value === type, path, `a ${type}`);
  return value ?? undefined;
};

/** Read Settings; throws with a sentence where they cannot be used. */
export function readSettings(message) {
  const audio = object(message, "audio", "audio");
  const agent = object(message, "agent", "agent");
  const think = object(agent, "think", "agent.think");
  const input = object(audio, "input", "audio.input");
  const messages = object(agent, "context", "agent.context").messages ?? [];
  const functions = think.functions ?? [];
  need(["linear16", "mulaw", "alaw"].includes(input.encoding ?? "linear16"), "audio.input.encoding", "linear16, mulaw or alaw");
  const assumed = (input.encoding ?? "linear16") === "linear16" ? 24000 : 8000;
  const rate = optional(input.sample_rate, "number", "audio.input.sample_rate") ?? assumed;
  need(Number.isInteger(rate) && rate >= 8000 && rate <= 48000, "audio.input.sample_rate", "between 8000 and 48000");
  need(Array.isArray(messages), "agent.context.messages", "a list");
  for (const each of messages) {
    need(isObject(each) && typeof each.content === "string" && typeof each.role === "string", "context messages", "{role, content}");
  }
  need(Array.isArray(functions) && functions.every((each) => isObject(each) && typeof each.name === "string"), "agent.think.functions", "a list of functions");
  const idle = optional(agent.idleTimeoutMs, "number", "agent.idleTimeoutMs");
  return {
    encoding: input.encoding ?? "linear16",
    rate,
    greeting: optional(agent.greeting, "string", "agent.greeting") ?? "",
    prompt: optional(think.prompt, "string", "agent.think.prompt") ?? "",
    context: messages.map((each) => ({ role: each.role, content: each.content })),
    functions,
    toolChoice: think.toolChoice ?? undefined,
    modalities: think.outputModalities ?? undefined,
    maxTokens: think.maxOutputTokens ?? undefined,
    voice: optional(object(object(agent, "speak", "agent.speak"), "provider", "agent.speak.provider").voice, "string", "voice"),
    idle,
  };
}

/** The session of the one session.update. */
export function sessionOf(settings) {
  const history = settings.context.map((each) => `${each.role} said: ${each.content}`).join("\n");
  const instructions = [settings.prompt, history].filter(Boolean).join("\n\n");
  const format = { type: "audio/pcm", rate: 24000 };
  const detection =
    settings.idle === undefined ? null : { type: "server_vad", idle_timeout_ms: settings.idle, create_response: false };
  const session = {
    type: "realtime",
    audio: { input: { format, turn_detection: detection }, output: { format } },
  };
  if (settings.voice) session.audio.output.voice = settings.voice;
  if (instructions) session.instructions = instructions;
  if (settings.modalities) session.output_modalities = settings.modalities;
  if (settings.maxTokens !== undefined) session.max_output_tokens = settings.maxTokens;
  if (settings.toolChoice !== undefined) session.tool_choice = settings.toolChoice;
  if (settings.functions.length) {
    session.tools = settings.functions.map(({ name, description, parameters }) => ({
      type: "function",
      name,
      ...(description !== undefined && { description }),
      ...(parameters !== undefined && { parameters }),
    }));
  }
  return session;
}
