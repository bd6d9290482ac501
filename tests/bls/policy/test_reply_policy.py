# SPDX-License-Identifier: Apache-2.0
"""The filter in the reply loop: refused tokens give way to the reference's, nobody pays for them,
and no refused text reaches the reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from bls.campaigns import load_campaigns
from bls.contracts import Flag, Mode
from bls.policy.filter import PolicyFilter, load_filter
from bls.policy.rule_file import load_terms
from bls.policy.rules import Rules
from bls.reply.draw import DrawKey
from bls.reply.loop import run_reply
from bls.reply.reply import Reply, ReplyServices, open_reply
from bls.reply.watchdog import Watchdog
from export.manifest import LLMManifest
from tests.bls.policy.scripted import EOS, TEMPERATURE, Scripted, Step, say, token_id
from tests.bls.preludes import plain
from tests.bls.test_reply_loop import ListSink, request

DRAW = DrawKey(Mode.ARGMAX, 0, 0)
AD = [{"advertiser": "adv", "bid": 2.0, "ad_prompt": "Write to stay@harbor.com"}]


@dataclass
class Forced:
    """A classifier that finds every text unsafe that ends with one of `words`."""

    words: tuple[str, ...]
    threshold: float = 0.5
    asked: list[str] = field(default_factory=list)

    def unsafe(self, texts: Sequence[str]) -> list[float]:
        self.asked += texts
        return [float(text.endswith(self.words)) for text in texts]


class Broken:
    """A classifier that always fails."""

    threshold = 0.5

    def unsafe(self, texts: Sequence[str]) -> list[float]:
        raise RuntimeError("no memory")


@pytest.fixture
def services(tokenizer: Tokenizer, manifest: LLMManifest) -> ReplyServices:
    eos = frozenset({token_id(tokenizer, EOS)})
    return ReplyServices("scripted", eos, tokenizer, load_campaigns())


@dataclass
class Played:
    """A reply and what came of it."""

    reply: Reply
    sink: ListSink
    decoder: Scripted

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.sink.tokens)

    @property
    def replaced(self) -> list[int]:
        return [event.index for event in self.sink.tokens if event.outcome.policy]

    @property
    def ended(self) -> str:
        ((reason, _),) = self.sink.ends
        return reason


def play(
    services: ReplyServices,
    *steps: Step,
    policy: PolicyFilter | None = None,
    fail_at: tuple[int, ...] = (),
    **changes: Any,
) -> Played:
    ours = ReplyServices(
        services.model,
        services.eos_ids,
        services.tokenizer,
        services.campaigns,
        policy or services.policy,
    )
    decoder = Scripted(services.tokenizer, steps, fail_at)
    sink = ListSink()
    options = {"max_tokens": len(steps), "auction": {"bidders": AD}, "temperature": TEMPERATURE}
    asked = request(**(options | changes))
    reply = open_reply(asked, DRAW, ours, decoder, plain(asked, ours))
    watchdog = Watchdog()
    run_reply(reply, sink, watchdog)
    watchdog.close()
    return Played(reply, sink, decoder)


def classified(classifier: Any) -> PolicyFilter:
    return PolicyFilter(Rules(load_terms()), classifier)


@pytest.mark.spec("AUC-U-05")
def test_an_unsafe_token_becomes_the_references_best(services: ReplyServices) -> None:
    policy = classified(Forced((" rude",)))
    steps = [*say("You| are"), Step(" rude", (" kind", " nice")), *say(" today")]
    played = play(services, *steps, policy=policy)
    assert played.text == "You are kind today"
    assert played.replaced == [2]
    said = played.sink.tokens[2].outcome
    assert said.token == said.ref_token == token_id(services.tokenizer, " kind")


@pytest.mark.spec("AUC-U-05")
def test_the_references_best_safe_token_when_its_best_is_not(services: ReplyServices) -> None:
    policy = classified(Forced((" rude", " kind")))
    steps = [*say("You| are"), Step(" rude", (" kind", " rude", " nice"))]
    played = play(services, *steps, policy=policy)
    assert played.text == "You are nice"


def test_nobody_pays_for_it_and_the_market_is_still_told(services: ReplyServices) -> None:
    policy = classified(Forced((" rude",)))
    steps = [Step(" rude", ("ugh", " kind")), Step(" cat", (" dog",))]
    first, second = play(services, *steps, policy=policy).sink.tokens
    outcome = first.outcome
    assert (first.winner, outcome.flags) == (0, Flag.POLICY)
    assert not outcome.sponsored and not first.charges.any() and not outcome.critical_bid.any()
    assert outcome.w_minus.tolist() == [2.0, 0.5] and outcome.margin == 0.25
    assert np.allclose(outcome.p_token, [np.exp(-1.0), np.exp(-2 / TEMPERATURE - 2.0)])
    assert second.winner == 1 and second.charges.tolist() == [0.0, 0.3]


def test_the_receipt_counts_it(services: ReplyServices) -> None:
    policy = classified(Forced((" rude",)))
    steps = [Step(" rude", (" kind",)), Step(" cat", (" dog",)), *say("!")]
    ((_, receipt),) = play(services, *steps, policy=policy).sink.ends
    assert receipt["policy_tokens"] == 1
    assert (receipt["sponsored_tokens"], receipt["completion_tokens"]) == (2, 3)
    (line,) = receipt["lines"]  # type: ignore[misc]
    assert line["charge_micros"] == 600 and line["tokens_influenced"] == 2


def test_both_charge_rules_are_free(services: ReplyServices) -> None:
    policy = classified(Forced((" rude",)))
    auction = {"bidders": AD, "charge_rule": "critical_bid"}
    steps = [Step(" rude", (" kind",))]
    ((_, receipt),) = play(services, *steps, policy=policy, auction=auction).sink.ends
    assert receipt["total_micros"] == 0 and receipt["disclosure"] is None


def test_the_replacement_is_what_the_rows_are_fed(services: ReplyServices) -> None:
    policy = classified(Forced((" rude",)))
    steps = [*say("You| are"), Step(" rude", (" kind",)), *say(" today|!")]
    played = play(services, *steps, policy=policy)
    ids = [token_id(services.tokenizer, text) for text in ("You", " are", " kind", " today")]
    assert played.decoder.fed == ids == played.reply.line.tokens[:-1]


@pytest.mark.parametrize("fail_at", [(1,), (3,), (4,), (6,), (3, 8)])
def test_a_replay_is_fed_the_replacement_too(
    services: ReplyServices, fail_at: tuple[int, ...]
) -> None:
    """Wherever the worker is lost, before or after the refused token."""
    policy = classified(Forced((" rude",)))
    steps = [*say("You| are"), Step(" rude", (" kind",)), *say(" today| and| so| are| we")]
    calm = play(services, *steps, policy=policy)
    shaken = play(services, *steps, policy=policy, fail_at=fail_at)
    assert shaken.reply.line.replays == len(fail_at)
    assert all(identical for _, identical in shaken.reply.line.audits)
    assert shaken.decoder.fed == calm.decoder.fed
    assert shaken.text == calm.text == "You are kind today and so are we"


def test_nothing_safe_ends_the_reply(services: ReplyServices) -> None:
    policy = classified(Forced((" rude", " bad")))
    steps = [*say("You| are"), Step(" rude", (" bad",)), *say(" today")]
    played = play(services, *steps, policy=policy, stop=["re you"])
    assert played.ended == "content_filter"
    assert len(played.sink.tokens) == 2 and not played.replaced
    ((_, receipt),) = played.sink.ends
    assert (receipt["completion_tokens"], receipt["policy_tokens"]) == (2, 0)
    assert receipt["disclosure"], "the tokens before it were sponsored"
    assert played.reply.policy.ended == 1


def test_nothing_safe_at_the_first_token(services: ReplyServices) -> None:
    played = play(services, Step(" rude"), policy=classified(Forced((" rude",))))
    assert played.ended == "content_filter" and not played.sink.tokens


def test_control_tokens_and_half_characters_are_no_replacement(services: ReplyServices) -> None:
    policy = classified(Forced((" rude",)))
    steps = [Step(" rude", ("<|im_start|>", " kind"))]
    assert play(services, *steps, policy=policy).text == " kind"


def test_the_end_of_text_may_be_the_replacement(services: ReplyServices) -> None:
    policy = classified(Forced((" rude",)))
    played = play(services, *say("Hi"), Step(" rude", (EOS,)), *say(" you"), policy=policy)
    assert (played.text, played.ended, played.replaced) == ("Hi", "stop", [1])


def test_a_term_over_several_tokens_is_caught_by_the_last(services: ReplyServices) -> None:
    steps = [*say("a| nig"), Step("ger", ("ht",)), *say(" out")]
    played = play(services, *steps)
    assert (played.text, played.replaced) == ("a night out", [2])
    (line,) = played.reply.policy.lines
    assert (line.reason, line.token_idx) == ("slur", 2)
    assert line.blocked == token_id(services.tokenizer, "ger")
    assert line.replacement == token_id(services.tokenizer, "ht")


def test_a_word_that_goes_on_is_only_late(services: ReplyServices) -> None:
    played = play(services, *say("Mr| F|ag|in| left"))
    assert [event.text for event in played.sink.tokens] == ["Mr", " F", "", "agin", " left"]
    assert not played.replaced


@pytest.mark.parametrize(
    ("steps", "text", "replaced"),
    [
        ((*say("a| f|ag"), Step(".", (".", " and")), *say(" so")), "a f and so", [3]),
        ((*say("a| f|ag"), Step(EOS, (EOS, "!")), *say(" so")), "a f! so", [3]),
        ((*say("a| f"), Step("ag", ("ag", "at"))), "a fat", [2]),
    ],
    ids=["a sign", "end of text", "length"],
)
def test_a_whole_word_never_reaches_the_reader(
    services: ReplyServices, steps: tuple[Step, ...], text: str, replaced: list[int]
) -> None:
    """However it ends: what was held back is dropped, the token that ended it is replaced."""
    played = play(services, *steps)
    assert (played.text, played.replaced) == (text, replaced)


def test_a_stop_string_ends_a_word(services: ReplyServices) -> None:
    steps = [*say("a| f|ag"), Step("in", ("in", "!"))]
    played = play(services, *steps, stop=["in"])
    assert (played.text, played.ended) == ("a f!", "length")


def test_what_a_stop_string_cuts_off_is_not_judged(services: ReplyServices) -> None:
    played = play(services, *say("a| nig|ger"), stop=["igger"])
    assert (played.text, played.ended, played.replaced) == ("a n", "stop", [])


def test_digits_of_a_number_are_held_and_dropped(services: ReplyServices) -> None:
    """The reader gets six digits of the ten, not nine."""
    steps = [*say("It| is| |" + "|".join("415-555-267")), Step("1", ("1", ".")), *say(" so")]
    played = play(services, *steps)
    assert (played.text, played.replaced) == ("It is 415-555-. so", [14])
    assert played.reply.policy.lines[0].reason == "phone"


def test_a_number_that_is_none_is_only_late(services: ReplyServices) -> None:
    digits = "12345678"
    played = play(services, *say("order| |" + "|".join(digits) + "|."))
    assert played.text == f"order {digits}." and not played.replaced
    assert [event.text for event in played.sink.tokens][-3:] == ["", "", "78."]


def test_what_the_advertiser_wrote_may_be_said(services: ReplyServices) -> None:
    for address, said in (("stay", True), ("play", False)):
        steps = [*say(f"at| {address}|@|har|bor|."), Step("com", ("com", "!"))]
        played = play(services, *steps)
        assert bool(played.replaced) is not said
        assert played.text == ("at stay@harbor.com" if said else "at play!")


def test_what_the_reader_wrote_may_be_said(services: ReplyServices) -> None:
    chat = [{"role": "user", "content": "I am play@harbor.com"}]
    played = play(services, *say("at| play|@|har|bor|.|com"), messages=chat)
    assert played.text == "at play@harbor.com" and not played.replaced


def test_a_broken_classifier_leaves_the_rules(services: ReplyServices) -> None:
    steps = [*say("a| nig"), Step("ger", ("ht",))]
    played = play(services, *steps, policy=classified(Broken()))
    assert played.text == "a night" and played.ended == "length"
    policy = played.reply.policy
    assert policy.faults == 3  # the refused token never came to it
    assert [line.reason for line in policy.lines] == ["classifier_fault", "slur"]
    assert policy.lines[0].blocked is None


def test_the_classifier_reads_the_emerging_text(services: ReplyServices) -> None:
    forced = Forced(("never",))
    play(services, *say("You| are| nice"), policy=classified(forced))
    assert forced.asked == ["You", "You are", "You are nice"]


def test_lines_hold_no_text(services: ReplyServices) -> None:
    played = play(services, *say("a| nig"), Step("ger", ("ht",)))
    assert "ger" not in repr(played.reply.policy.lines)


def test_time_is_counted(services: ReplyServices) -> None:
    policy = play(services, *say("You| are| nice")).reply.policy
    assert (policy.tokens, policy.slow, policy.faults) == (3, 0, 0)
    assert 0 < policy.seconds < 0.01


def test_no_filter_is_never_the_default(services: ReplyServices) -> None:
    assert not services.policy.check("faggot").safe
    assert not load_filter().check("faggot").safe
