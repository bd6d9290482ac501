// SPDX-License-Identifier: Apache-2.0
// Streams one reply: yields chunk JSON, throws an Error with `code` for anything else.

export async function* streamChat(messages, convId, key, signal) {
  const headers = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  const body = JSON.stringify({
    model: "skynet", stream: true, messages, skynet: { conv_id: convId },
  });
  const response = await fetch("/v1/chat/completions", { method: "POST", headers, body, signal });
  if (!response.ok) throw failure((await response.json()).error);
  yield* events(response.body.getReader());
}

async function* events(reader) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw failure({ code: "stream_cut", message: "The stream ended early." });
    const parts = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (!part.startsWith("data: ")) continue; // a comment: heartbeat
      if (part === "data: [DONE]") return;
      const chunk = JSON.parse(part.slice(6));
      if (chunk.error) throw failure(chunk.error);
      yield chunk;
    }
  }
}

function failure(error) {
  return Object.assign(new Error(error.message), { code: error.code });
}
