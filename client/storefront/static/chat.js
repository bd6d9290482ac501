// SPDX-License-Identifier: Apache-2.0
// The assistant's panel: asks, shows words as they come, and goes on where the last page stopped.

import { streamReply } from "/static/stream.js";
import { Turn } from "/static/turn.js";

const STORE = "skynet-chat"; // of this tab, until it is closed
const TURNS = 10;
const ANSWER_CHARS = 4000;

const find = (id) => document.getElementById(id);
const isBusy = () => !find("chat-stop").hidden;
let { chat, turns } = stored();
let live = null;

function stored() {
  try {
    const found = JSON.parse(sessionStorage.getItem(STORE));
    if (found) return found;
  } catch { /* a tab without storage begins anew on every page */ }
  return { chat: crypto.getRandomValues(new Uint32Array(4)).join("-"), turns: [] };
}

function store() {
  try {
    sessionStorage.setItem(STORE, JSON.stringify({ chat, turns }));
  } catch { /* as above */ }
}

// What was said, as the gateway wants it.
function messages(question) {
  const said = turns.flatMap((kept) => {
    const answer = kept.words.map(([text]) => text).join("").trim().slice(0, ANSWER_CHARS);
    return [{ role: "user", content: kept.question }, { role: "assistant", content: answer }];
  });
  return [...said, { role: "user", content: question }];
}

async function ask(question) {
  const log = find("chat-log");
  const turn = new Turn(log, question);
  live = new AbortController();
  busy(true);
  const items = [...new Set([...document.querySelectorAll("main [data-item]")].map((one) => one.dataset.item))];
  try {
    for await (const chunk of streamReply({ messages: messages(question), chat, items }, live.signal)) {
      turn.add(chunk);
      log.scrollTop = log.scrollHeight;
    }
  } catch (error) {
    if (error.name !== "AbortError") turn.fail(error.code ? error.message : "The shop cannot be reached; try again.");
  }
  if (turn.text.trim()) turns = [...turns, turn.kept].slice(-TURNS);
  store();
  turn.end();
  busy(false);
}

// The button stays focusable, and the focus stays where the visitor put it.
function busy(now) {
  find("chat-send").setAttribute("aria-disabled", String(now));
  if (!now && document.activeElement === find("chat-stop")) find("chat-send").focus();
  find("chat-stop").hidden = !now;
}

function begin() {
  const log = find("chat-log");
  log.setAttribute("aria-live", "off"); // what was said before is not said again
  for (const kept of turns) Turn.again(log, kept);
  log.scrollTop = log.scrollHeight;
  setTimeout(() => log.setAttribute("aria-live", "polite"));
  find("chat").hidden = false;
}

find("chat").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = find("chat-text").value.trim();
  if (!question || isBusy()) return;
  find("chat-text").value = "";
  ask(question);
});
find("chat-text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    find("chat").requestSubmit();
  }
});
find("chat-stop").addEventListener("click", () => live?.abort());
begin();
