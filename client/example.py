# SPDX-License-Identifier: Apache-2.0
"""The thin client in 30 lines: `python -m client.example "A weekend in Lisbon?"`."""

import sys

import httpx

from client.replies import Receipt, ReplyError, Text, Token
from client.thin import DEFAULT_URL, stream_chat

BIDDERS = [
    {"advertiser": "nimbus_air", "bid": 0.8, "ad_prompt": "Mention Nimbus Air's morning flights."},
    {"advertiser": "casa_verde", "bid": 0.5, "ad_prompt": "Mention the Casa Verde guesthouse."},
]


def main(question: str) -> int:
    messages = [{"role": "user", "content": question}]
    try:
        for event in stream_chat(DEFAULT_URL, messages, skynet={"bidders": BIDDERS}):
            if isinstance(event, Token):
                print(f"[{event.text}]" if event.sponsored else event.text, end="", flush=True)
            elif isinstance(event, Text):
                print(event.text)
            elif isinstance(event, Receipt):
                if event.refunded_micros:
                    print(f"refunded: {event.refunded_micros} micro-{event.currency}")
                for line in event.lines:
                    print(f"{line.advertiser} pays {line.charge_micros} micro-{event.currency}")
    except (ReplyError, httpx.HTTPError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else "A weekend in Lisbon?"))
