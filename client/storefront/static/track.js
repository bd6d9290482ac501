// SPDX-License-Identifier: Apache-2.0
// How long titles, paragraphs and links are pointed at or focused; sent to the shop in batches.

const LEAST_MS = 250;
const LONGEST_MS = 600_000;
const BATCH = 16; // so many do not wait for the next turn
const MOST = 32; // what the shop takes of a post: who leaves after an outage sends few
const EVERY_MS = 2_000;
const HELD = 200;
const later = (status) => status === 429 || status >= 500;

let waiting = [];
const since = new Map();

function begin(element) {
  if (!since.has(element)) since.set(element, performance.now());
}

function end(element) {
  const began = since.get(element);
  if (began === undefined) return;
  since.delete(element);
  const now = performance.now();
  const dwell = Math.min(Math.round(now - began), LONGEST_MS);
  if (dwell < LEAST_MS || waiting.length >= HELD) return;
  waiting.push({
    event_id: [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(16)).join("-"),
    action: element.dataset.hover,
    item: element.closest("[data-item]")?.dataset.item ?? "",
    dwell_ms: dwell,
    at: now,
  });
  if (waiting.length >= BATCH) send();
}

function send() {
  if (!waiting.length) return;
  const batch = waiting.splice(0, MOST);
  const now = performance.now();
  const events = batch.map(({ at, ...event }) => ({
    ...event, ago_ms: Math.min(Math.max(0, Math.round(now - at)), LONGEST_MS),
  }));
  fetch("/events", {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ events }), keepalive: true, // lives on when the page goes
  }).then((answer) => { if (later(answer.status)) again(batch); }, () => again(batch));
}

// The ids stay, so a batch that did arrive counts once.
function again(batch) {
  waiting = [...batch, ...waiting].slice(0, HELD);
}

function leave() {
  for (const element of [...since.keys()]) end(element);
  while (waiting.length) send();
}

for (const element of document.querySelectorAll("[data-hover]")) {
  element.addEventListener("pointerenter", () => begin(element));
  element.addEventListener("pointerleave", () => end(element));
  element.addEventListener("focus", () => begin(element));
  element.addEventListener("blur", () => end(element));
}
addEventListener("pagehide", leave);
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") leave(); });
setInterval(send, EVERY_MS);
