# SPDX-License-Identifier: Apache-2.0
"""What is shown of a failed child's log: reasons first, no tables, nothing twice."""

from __future__ import annotations

from client.launcher.log_digest import digest

LOG = """
E1121 21:37:44.338666 14887 server.cc:241] "CudaDriverHelper has not been initialized."
I1121 21:37:44.339826 14887 model_lifecycle.cc:472] "loading: broken:1"
E1121 21:37:44.677129 14887 model_lifecycle.cc:642] "failed to load 'broken': No module 'x'"
E1121 21:37:44.999999 14887 model_lifecycle.cc:642] "failed to load 'broken': No module 'x'"
I1121 21:37:44.677321 14887 server.cc:674] \x20
+--------+---------+
| Model  | Status  |
+--------+---------+
| broken | UNAVAILABLE |
+--------+---------+

I1121 21:37:44.677610 14887 server.cc:305] "Waiting for in-flight requests to complete."
error: creating server: Internal - failed to load all models
"""


def test_reasons_come_first_and_once() -> None:
    lines = digest(LOG).splitlines()
    assert lines[0] == "\"failed to load 'broken': No module 'x'\""
    assert lines[1] == "error: creating server: Internal - failed to load all models"
    assert digest(LOG).count("No module 'x'") == 1


def test_tables_and_stamps_are_dropped() -> None:
    text = digest(LOG)
    assert "|" not in text and "+--" not in text and "21:37:44" not in text


def test_what_every_server_without_a_gpu_says_is_no_reason() -> None:
    assert "CudaDriverHelper" not in digest(LOG, lines=3)


def test_the_end_is_kept_when_nothing_looks_like_an_error() -> None:
    assert digest("\n".join(f"line {i}" for i in range(50)), lines=2) == "line 48\nline 49"


def test_bounded_however_long_the_log() -> None:
    text = digest("\n".join(f"error: {i} " + "x" * 5_000 for i in range(500)), lines=10)
    assert len(text) < 10 * 1_000 and "error: 499" in text


def test_empty_log() -> None:
    assert digest("") == ""
