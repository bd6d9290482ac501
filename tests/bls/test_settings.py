# SPDX-License-Identifier: Apache-2.0
"""Environment errors are refused by name, never swallowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.limits import Limits
from bls.settings import load_settings


def test_defaults_and_values() -> None:
    settings = load_settings({"SKYNET_PORT": "9", "SKYNET_LLM_SPIN": "0", "SKYNET_STATE": "/x"})
    assert (settings.port, settings.llm_spin, settings.logs) == (9, False, Path("/x/logs"))
    assert settings.llm_threads >= 1
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SKYNET_PROT", "1"),
        ("SKYNET_PORT", "many"),
        ("SKYNET_PORT", "70000"),
        ("SKYNET_LLM_SPIN", "perhaps"),
        ("SKYNET_TRACES", "somewhere"),
        ("SKYNET_KV_ROWS", "0"),
        ("SKYNET_STORE_MODE", "casino"),
        ("SKYNET_STORE_PORT", "-1"),
    ],
)
@pytest.mark.spec("PH-03")
def test_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SkynetError) as caught:
        load_settings({variable: value})
    assert caught.value.code == "bad_setting"
    assert "SKYNET_" in caught.value.message


@pytest.mark.spec("PH-03")
def test_the_key_is_never_printed() -> None:
    assert "hunter2" not in repr(load_settings({"SKYNET_API_KEY": "hunter2"}))
    assert "hunter2" not in repr(load_settings({"SKYNET_REDIS": "redis://:hunter2@host"}))


def test_the_served_predictor_is_the_shipped_one_or_the_named_one() -> None:
    assert load_settings({}).predictor_folder().parts[-2:] == ("bid_predictor", "1")
    assert load_settings({"SKYNET_PREDICTOR_MODEL": "/m"}).predictor_folder() == Path("/m")


def test_missing_model_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SkynetError, match="make setup"):
        load_settings({"SKYNET_CACHE": str(tmp_path)}).llm_folder()


def test_limits_check_themselves() -> None:
    with pytest.raises(ValueError, match="kv_rows"):
        Limits(kv_rows=2)
    with pytest.raises(ValueError, match="prefill_chunk"):
        Limits(prefill_chunk_busy=4)
