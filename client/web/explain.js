// SPDX-License-Identifier: Apache-2.0
// The panel "Explain an ad": which tokens of an ad its predicted value comes from, as a table.

const find = (id) => document.getElementById(id);

// `chat()` gives the conversation so far, `key()` the API key.
export function wireExplain(chat, key) {
  const button = find("explain-send");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      find("explained").replaceChildren(table(await explain(chat(), find("explain-ad").value, key())));
    } catch (error) {
      find("explained").textContent = error.message;
    }
    button.disabled = false;
  });
}

async function explain(messages, ad, key) {
  const headers = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  const response = await fetch("/v1/explain", {
    method: "POST", headers, body: JSON.stringify({ messages, ad }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

function table(answer) {
  const made = document.createElement("table");
  const caption = document.createElement("caption");
  caption.textContent = `predicted v_max ${answer.prediction.toFixed(4)}, ` +
    `without any token ${answer.base_value.toFixed(4)}`;
  made.append(caption, row("th", "token", "share of v_max"));
  answer.tokens.forEach((token, index) => made.append(row("td", token, signed(answer.shap[index]))));
  made.append(row("td", "(others)", signed(answer.rest)));
  return made;
}

function row(kind, ...texts) {
  const line = document.createElement("tr");
  line.append(...texts.map((text) => Object.assign(document.createElement(kind), { textContent: text })));
  return line;
}

function signed(value) {
  return (value < 0 ? "" : "+") + value.toFixed(4);
}
