// SPDX-License-Identifier: Apache-2.0
// The page: asks, shows tokens as they come, what each was sold for, and the receipt.

import { wireExplain } from "/web/explain.js";
import { streamChat } from "/web/stream.js";

const find = (id) => document.getElementById(id);
const convId = `web-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
const messages = [];
let live = null;

function dollars(micros) {
  const digits = String(micros).padStart(7, "0");
  return `$${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

function number(value, places) {
  return value === null ? "–" : value.toFixed(places);
}

function element(tag, text, className = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

function named(name, row) {
  const cell = Object.assign(document.createElement("th"), { scope: "row" });
  cell.append(element("span", name, `r${row}`));
  return cell;
}

function rowOf(name, row, cells) {
  const line = document.createElement("tr");
  line.append(named(name, row), ...cells.map((text) => element("td", text)));
  return line;
}

class Turn {
  constructor(prompt) {
    this.root = find("turn").content.cloneNode(true).querySelector("article");
    this.part(".user").textContent = prompt;
    this.rows = [];
    this.text = "";
    find("turns").append(this.root);
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  show(selector, text) {
    Object.assign(this.part(selector), { textContent: text, hidden: false });
  }

  add(chunk) {
    const extra = chunk.skynet;
    const text = chunk.choices[0]?.delta.content ?? "";
    if (extra.receipt) this.receipt(extra.receipt);
    else if (extra.disclosure) this.show(".disclosure", text.trim());
    else if (extra.conv_id) this.begin(extra);
    else this.token(text, extra);
  }

  begin(extra) {
    this.rows = extra.rows;
    const told = extra.prelude;
    const parts = [];
    if (told.summaries) parts.push(`${told.windows} windows of the chat in ${told.summaries} summaries`);
    if (told.no_ads) parts.push(`no ads: ${told.no_ads.replaceAll("_", " ")}`);
    for (const one of told.selected ?? []) {
      parts.push(`${one.advertiser} ${one.explored ? "drawn" : "chosen"}, similarity ${one.sim.toFixed(2)}`);
    }
    for (const one of told.left_out ?? []) {
      parts.push(`${one.advertiser} left out: ${one.reason.replaceAll("_", " ")}`);
    }
    if (parts.length) this.show(".prelude", parts.join("; "));
  }

  token(text, extra) {
    this.text += text;
    const span = element("span", text, "token");
    const row = this.rows.indexOf(extra.winner);
    if (extra.sponsored && row > 0) span.classList.add("sponsored", `r${row}`);
    else if (extra.sponsored) span.classList.add("sponsored");
    if (extra.policy) span.classList.add("policy");
    if (extra.rows) span.auction = extra;
    this.part(".reply").append(span);
  }

  receipt(receipt) {
    this.part("tbody").replaceChildren(...receipt.lines.map((line) => rowOf(
      line.advertiser, line.row,
      [line.bid, line.tokens_influenced, dollars(line.pay_micros),
        dollars(line.critical_bid_micros), dollars(line.charge_micros)],
    )));
    this.part(".total").textContent = dollars(receipt.total_micros);
    const refunded = receipt.refunded_micros
      ? `${dollars(receipt.refunded_micros)} refunded (invalid traffic), ` : "";
    const refused = receipt.policy_tokens ? `${receipt.policy_tokens} replaced by policy, ` : "";
    this.part(".summary").textContent =
      `${receipt.completion_tokens} tokens, ${receipt.sponsored_tokens} sponsored, ${refused}${refunded}` +
      `charged by ${receipt.charge_rule}, ended by ${receipt.finish_reason}`;
    this.part(".receipt").hidden = false;
  }
}

async function ask(prompt) {
  const turn = new Turn(prompt);
  messages.push({ role: "user", content: prompt });
  live = new AbortController();
  busy(true);
  try {
    for await (const chunk of streamChat(messages, convId, find("key").value, live.signal)) {
      turn.add(chunk);
      turn.root.scrollIntoView({ block: "end" });
    }
  } catch (error) {
    if (error.name !== "AbortError") turn.show(".error", error.message);
    if (error.code === "invalid_api_key") find("key").hidden = find("key-label").hidden = false;
  }
  if (turn.text.trim()) messages.push({ role: "assistant", content: turn.text });
  else messages.pop();
  busy(false);
}

function busy(now) {
  find("send").hidden = now;
  find("stop").hidden = !now;
}

function showAuction(event) {
  const token = event.target.auction;
  const box = find("auction");
  box.hidden = !token;
  if (!token) return;
  const table = document.createElement("table");
  const how = token.policy ? "said by the reference: the auctioned one was refused"
    : `won by ${token.winner ?? "the reference"}`;
  const title = `token ${token.index}, ${how}, margin ${number(token.margin, 3)}`;
  const heads = ["advertiser", "bid", "charge", "critical bid", "P(token)"];
  const head = document.createElement("tr");
  head.append(...heads.map((text) => element("th", text)));
  table.append(element("caption", title), head, ...token.rows.map((row, index) => rowOf(
    row.advertiser, index + 1,
    row.status === "ok"
      ? [number(row.bid, 2), number(row.charge, 5), number(row.critical_bid, 4),
        number(row.p_token, 4)]
      : [`left out: ${row.status}`],
  )));
  box.replaceChildren(table);
  const at = event.target.getBoundingClientRect();
  const below = at.bottom + box.offsetHeight + 8 < window.innerHeight;
  const left = Math.min(at.left, window.innerWidth - box.offsetWidth - 8);
  box.style.left = `${Math.max(8, left)}px`;
  box.style.top = `${below ? at.bottom + 4 : at.top - box.offsetHeight - 4}px`;
}

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const prompt = find("prompt").value.trim();
  if (!prompt || !find("stop").hidden) return;
  find("prompt").value = "";
  ask(prompt);
});
find("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    find("ask").requestSubmit();
  }
});
find("stop").addEventListener("click", () => live?.abort());
find("turns").addEventListener("mouseover", showAuction);
find("turns").addEventListener("mouseleave", () => { find("auction").hidden = true; });
wireExplain(
  () => {
    const asked = messages.findLastIndex((message) => message.role === "user") + 1;
    return asked ? messages.slice(0, asked) : [{ role: "user", content: find("prompt").value }];
  },
  () => find("key").value,
);
