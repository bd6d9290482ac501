// SPDX-License-Identifier: Apache-2.0
// Asks the gateway for one reply and streams it.

import { events } from "/web/events.js";

export async function* streamChat(messages, convId, key, signal) {
  const headers = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  const body = JSON.stringify({
    model: "skynet", stream: true, messages, skynet: { conv_id: convId },
  });
  const response = await fetch("/v1/chat/completions", { method: "POST", headers, body, signal });
  yield* events(response, "The stream ended early.");
}
