"""The day the image is swapped: catalog and config of the official connector (airbyte-source-okta, from PyPI), read by ours."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

OFFICIAL = Path(sys.executable).with_name("source-okta")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def catalog(messages):
    (found,) = (m["catalog"] for m in messages if m["type"] == "CATALOG")
    return found


@pytest.fixture
def official_config(tmp_path):
    """A config as the official connector asks for it. Its discover calls nobody, so any sub-domain will do."""
    path = tmp_path / "official.json"
    path.write_text(json.dumps({
        "domain": "acme",
        "start_date": "2022-07-22T00:00:00Z",
        "credentials": {"auth_type": "api_token", "api_token": "00simTokenSimTokenSimTokenSimTokenSimToken"},
    }))  # fmt: skip
    return path


def test_discover_answers_the_official_catalog(binaries, official_config):
    code, theirs = run(OFFICIAL, "discover", "--config", official_config)
    assert code == 0
    code, ours = run(binaries / "source-okta", "discover", "--config", official_config)
    assert code == 0
    assert [s["name"] for s in catalog(ours)["streams"]] == [s["name"] for s in catalog(theirs)["streams"]]
    for our, their in zip(catalog(ours)["streams"], catalog(theirs)["streams"]):
        # Airbyte compares schemas as JSON, and in them even the order of types.
        assert our == their, their["name"]


@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
def test_read_takes_a_catalog_that_the_official_discover_made(binaries, official_config, org, tmp_path, mode):
    _, theirs = run(OFFICIAL, "discover", "--config", official_config)
    streams = catalog(theirs)["streams"]
    (tmp_path / "catalog.json").write_text(json.dumps({
        "streams": [
            {"stream": s, "sync_mode": mode if mode in s["supported_sync_modes"] else "full_refresh", "destination_sync_mode": "append"}
            for s in streams
        ]
    }))  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(json.loads(official_config.read_text()) | {"domain": org.url}))
    code, messages = run(binaries / "source-okta", "read", "--config", tmp_path / "config.json", "--catalog", tmp_path / "catalog.json")
    assert code == 0, [m for m in messages if m["type"] in ("TRACE", "LOG")][-20:]
    records = Counter(m["record"]["stream"] for m in messages if m["type"] == "RECORD")
    assert records == {s["name"]: org.size(s["name"]) for s in streams}
