"""The day the image is swapped, and the day it is swapped back: catalog, config and state of the official connector
(airbyte-source-okta, from PyPI) and of ours, each read by the other."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from airbyte_cdk.test.standard_tests._spec_compatibility import compare_specs
from conftest import Org

OFFICIAL = Path(sys.executable).with_name("source-okta")


def run(*command, env=None):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | (env or {}))
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def catalog(messages):
    (found,) = (m["catalog"] for m in messages if m["type"] == "CATALOG")
    return found


def write_catalog(folder, streams, mode):
    """Configures the streams, with the mode where they have it."""
    configured = [
        {
            "stream": s,
            "sync_mode": mode if mode in s["supported_sync_modes"] else "full_refresh",
            "destination_sync_mode": "append",
            "cursor_field": s.get("default_cursor_field", []),
            "primary_key": s["source_defined_primary_key"],
        }
        for s in streams
    ]
    (folder / "catalog.json").write_text(json.dumps({"streams": configured}))


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


def test_spec_accepts_every_config_that_the_official_spec_accepts(binaries):
    _, theirs = run(OFFICIAL, "spec")
    _, ours = run(binaries / "source-okta", "spec")
    (their,), (our,) = ([m["spec"] for m in messages if m["type"] == "SPEC"] for messages in (theirs, ours))
    # The comparison that Airbyte holds a new version of a published connector to.
    assert compare_specs(their, our).is_backward_compatible, compare_specs(their, our).breaking


def test_discover_answers_the_official_catalog(binaries, official_config):
    code, theirs = run(OFFICIAL, "discover", "--config", official_config)
    assert code == 0
    code, ours = run(binaries / "source-okta", "discover", "--config", official_config)
    assert code == 0
    assert [s["name"] for s in catalog(ours)["streams"]] == [s["name"] for s in catalog(theirs)["streams"]]
    for our, their in zip(catalog(ours)["streams"], catalog(theirs)["streams"], strict=True):
        # Airbyte compares schemas as JSON, and in them even the order of types.
        assert our == their, their["name"]


@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
def test_read_takes_a_catalog_that_the_official_discover_made(binaries, official_config, org, tmp_path, mode):
    _, theirs = run(OFFICIAL, "discover", "--config", official_config)
    streams = catalog(theirs)["streams"]
    write_catalog(tmp_path, streams, mode)
    (tmp_path / "config.json").write_text(json.dumps(json.loads(official_config.read_text()) | {"domain": org.url}))
    code, messages = run(
        binaries / "source-okta", "read", "--config", tmp_path / "config.json", "--catalog", tmp_path / "catalog.json"
    )
    assert code == 0, [m for m in messages if m["type"] in ("TRACE", "LOG")][-20:]
    records = Counter(m["record"]["stream"] for m in messages if m["type"] == "RECORD")
    assert records == {s["name"]: org.size(s["name"]) for s in streams}


@pytest.fixture
def proxied(binaries, tmp_path):
    """An org behind a CONNECT proxy, which the official connector needs: its host is always https://….okta.com."""
    authority = tmp_path / "ca.pem"
    org = Org(binaries / "oktasim", "-proxy", f"-ca={authority}")
    env = {name: org.url for name in ("HTTPS_PROXY", "https_proxy")}
    env |= {name: str(authority) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
    yield org, env
    org.close()


INCREMENTAL = {"groups", "logs", "users"}


def test_a_state_makes_the_round_trip_from_ours_to_the_official_connector_and_back(
    binaries, official_config, proxied, tmp_path
):
    org, env = proxied
    _, discovered = run(OFFICIAL, "discover", "--config", official_config)
    write_catalog(tmp_path, [s for s in catalog(discovered)["streams"] if s["name"] in INCREMENTAL], "incremental")

    def read(connector, state):
        """Answers with the keys of the records by stream, and the state to go on from."""
        (tmp_path / "state.json").write_text(json.dumps(state))
        code, messages = run(
            connector, "read", "--config", official_config, "--catalog", tmp_path / "catalog.json",
            "--state", tmp_path / "state.json", env=env,
        )  # fmt: skip
        assert code == 0, [m for m in messages if m["type"] in ("TRACE", "LOG")][-20:]
        keys = {name: set() for name in INCREMENTAL}
        states = {}
        for m in messages:
            if m["type"] == "RECORD":
                data = m["record"]["data"]
                keys[m["record"]["stream"]].add(data.get("uuid") or data["id"])
            elif m["type"] == "STATE":
                states[m["state"]["stream"]["stream_descriptor"]["name"]] = m["state"]
        assert set(states) == INCREMENTAL
        return keys, list(states.values())

    def versions():
        return {
            name: {r.get("uuid") or r["id"]: r.get("lastUpdated") or r["published"] for r in org.records(name)}
            for name in INCREMENTAL
        }

    ours, theirs = binaries / "source-okta", OFFICIAL
    before = versions()
    keys, state = read(ours, [])
    assert keys == {name: set(records) for name, records in before.items()}

    # The official connector goes on from our state: it brings what changed since, and fails on nothing.
    org.mutate(40)
    after = versions()
    keys, state = read(theirs, state)
    for name in INCREMENTAL:
        changed = {k for k, v in after[name].items() if before[name].get(k) != v}
        assert changed and changed <= keys[name], name

    # And we go on from its state. Our keys in it are stale by then; with them obeyed, these changes would be lost.
    org.mutate(40)
    before, after = after, versions()
    keys, state = read(ours, state)
    for name in INCREMENTAL:
        changed = {k for k, v in after[name].items() if before[name].get(k) != v}
        assert changed and changed <= keys[name], name
    keys, state = read(ours, state)
    assert not any(keys.values()), "an unchanged org has nothing new"
