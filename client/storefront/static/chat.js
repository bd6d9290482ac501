// SPDX-License-Identifier: Apache-2.0
// The assistant's panel: asks, shows words as they come, marks the sponsored ones, says who paid.

import { streamReply } from "/static/stream.js";

const find = (id) => document.getElementById(id);
const chat = crypto.getRandomValues(new Uint32Array(4)).join("-");
const messages = [];
let live = null;

function element(tag, text, className) {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

class Turn {
  constructor(question) {
    this.root = element("article", "", "turn");
    this.reply = element("p", "", "reply");
    this.root.setAttribute("aria-busy", "true"); // read out once it is whole, not word by word
    this.root.append(element("p", question, "asked"), this.reply);
    this.rows = [];
    this.text = "";
    find("chat-log").append(this.root);
  }

  add(chunk) {
    const told = chunk.skynet ?? {};
    const text = chunk.choices[0]?.delta.content ?? "";
    if (told.receipt) this.receipt(told.receipt);
    else if (told.disclosure) this.root.append(element("p", text.trim(), "disclosure"));
    else if (told.conv_id) this.rows = told.rows;
    else this.word(text, told);
    find("chat-log").scrollTop = find("chat-log").scrollHeight;
  }

  word(text, told) {
    this.text += text;
    if (!told.sponsored) {
      this.reply.append(text);
      return;
    }
    const span = element("mark", text, `sponsored r${Math.max(1, this.rows.indexOf(told.winner))}`);
    span.title = told.winner ? `sponsored by ${told.winner.replaceAll("_", " ")}` : "sponsored";
    this.reply.append(span);
  }

  receipt(receipt) {
    const paid = receipt.total_micros / 1e6;
    const back = receipt.refunded_micros ? `, of which ${(receipt.refunded_micros / 1e6).toFixed(6)} go back` : "";
    const words = `${receipt.sponsored_tokens} of ${receipt.completion_tokens} words and parts of words sponsored; ` +
      `advertisers pay ${paid.toFixed(6)} ${receipt.currency}${back}, you pay nothing.`;
    this.root.append(element("p", words, "receipt"));
  }

  end() {
    this.root.removeAttribute("aria-busy");
  }
}

async function ask(question) {
  const turn = new Turn(question);
  messages.push({ role: "user", content: question });
  live = new AbortController();
  busy(true);
  const items = [...new Set([...document.querySelectorAll("main [data-item]")].map((one) => one.dataset.item))];
  try {
    for await (const chunk of streamReply({ messages: messages.slice(-20), chat, items }, live.signal)) turn.add(chunk);
  } catch (error) {
    if (error.name !== "AbortError") {
      const words = error.code ? error.message : "The shop cannot be reached; try again.";
      turn.root.append(Object.assign(element("p", words, "error"), { role: "alert" }));
    }
  }
  const said = turn.text.trim().slice(0, 4000);
  if (said) messages.push({ role: "assistant", content: said });
  else messages.pop();
  turn.end();
  busy(false);
}

// The button stays focusable, and the focus stays where the visitor put it.
function busy(now) {
  find("chat-send").setAttribute("aria-disabled", String(now));
  if (!now && document.activeElement === find("chat-stop")) find("chat-send").focus();
  find("chat-stop").hidden = !now;
}

const isBusy = () => !find("chat-stop").hidden;

find("chat").hidden = false;
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
