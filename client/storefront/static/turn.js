// SPDX-License-Identifier: Apache-2.0
// One question and its reply: sponsored words marked, who paid and how much said below them.
// What was shown is kept as plain data, so that the next page of the shop can show it again.

function element(tag, text, className) {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

export class Turn {
  constructor(log, question) {
    this.kept = { question, words: [], notes: [] };
    this.rows = [];
    this.root = element("article", "", "turn");
    this.reply = element("p", "", "reply");
    this.root.append(element("p", question, "asked"), this.reply);
    this.root.setAttribute("aria-busy", "true"); // read out once it is whole, not word by word
    log.append(this.root);
  }

  static again(log, kept) {
    const turn = new Turn(log, kept.question);
    for (const [text, row, sponsor] of kept.words) turn.word(text, row, sponsor);
    for (const [text, className] of kept.notes) turn.note(text, className);
    turn.end();
  }

  get text() {
    return this.kept.words.map(([text]) => text).join("");
  }

  add(chunk) {
    const told = chunk.skynet ?? {};
    const text = chunk.choices[0]?.delta.content ?? "";
    if (told.receipt) this.note(receipt(told.receipt), "receipt");
    else if (told.disclosure) this.note(text.trim(), "disclosure");
    else if (told.conv_id) this.rows = told.rows;
    else if (told.sponsored) this.word(text, Math.max(1, this.rows.indexOf(told.winner)), told.winner ?? "");
    else this.word(text, 0, "");
  }

  // Row 0 is nobody's: the word is not sponsored.
  word(text, row, sponsor) {
    this.kept.words.push([text, row, sponsor]);
    if (!row) {
      this.reply.append(text);
      return;
    }
    const span = element("mark", text, `sponsored r${row}`);
    span.title = sponsor ? `sponsored by ${sponsor.replaceAll("_", " ")}` : "sponsored";
    this.reply.append(span);
  }

  note(text, className) {
    this.kept.notes.push([text, className]);
    this.root.append(element("p", text, className));
  }

  fail(text) {
    this.root.append(Object.assign(element("p", text, "error"), { role: "alert" }));
  }

  end() {
    this.root.removeAttribute("aria-busy");
  }
}

function receipt(told) {
  const amount = (micros) => `${(micros / 1e6).toFixed(6)} ${told.currency}`;
  const back = told.refunded_micros ? `, of which ${amount(told.refunded_micros)} go back` : "";
  return `${told.sponsored_tokens} of ${told.completion_tokens} words and parts of words sponsored; ` +
    `advertisers pay ${amount(told.total_micros)}${back}, you pay nothing.`;
}
