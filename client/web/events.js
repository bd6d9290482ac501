// SPDX-License-Identifier: Apache-2.0
// Events of a streamed answer, for the page and the shop: yields chunk JSON, throws an Error with
// `code` for a refusal, for an error among the events and, with the words of `cut`, for an early end.

export async function* events(response, cut) {
  if (!response.ok) throw failure((await response.json()).error);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw failure({ code: "stream_cut", message: cut });
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
