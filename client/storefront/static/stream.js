// SPDX-License-Identifier: Apache-2.0
// Asks the shop for one reply of its assistant and streams it.

import { events } from "/static/events.js";

export async function* streamReply(asked, signal) {
  const response = await fetch("/chat", {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify(asked), signal,
  });
  yield* events(response, "The reply ended early; ask again.");
}
