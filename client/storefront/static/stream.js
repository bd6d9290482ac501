// SPDX-License-Identifier: Apache-2.0
// Streams one reply of the assistant: yields chunk JSON, throws an Error with `code` otherwise.

export async function* streamReply(asked, signal) {
  const response = await fetch("/chat", {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify(asked), signal,
  });
  if (!response.ok) throw failure((await response.json()).error);
  yield* events(response.body.getReader());
}

async function* events(reader) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw failure({ code: "stream_cut", message: "The reply ended early; ask again." });
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
