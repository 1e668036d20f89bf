"""PyAirbyte loads a simulated org into DuckDB, with the connector as an executable and as an image."""

import json
import re
import subprocess
import sys
from pathlib import Path

import airbyte as ab
import pytest
from conftest import Org

STREAMS = 21


@pytest.fixture(params=["executable", "image"])
def source(request, binaries, image, org):
    """The connector as PyAirbyte's documentation shows it: the domain as a full URL."""
    way = {"local_executable": str(binaries / "source-okta")}
    if request.param == "image":
        way = {"docker_image": image, "use_host_network": True}
    return ab.get_source("source-okta", config=org.config(stream_set="core"), **way)


@pytest.fixture
def cache(tmp_path):
    return ab.DuckDBCache(db_path=tmp_path / "okta.duckdb")


INCREMENTAL = {"users", "groups", "logs", "devices"}


def brought(cache, stream, since):
    """The keys of the rows that came after an instant: a row that comes again is stamped again."""
    table = cache[stream].to_pandas()
    return set(table[table["_airbyte_extracted_at"] > since]["uuid" if stream == "logs" else "id"])


def versions(org, stream):
    key = "uuid" if stream == "logs" else "id"
    return {r[key]: (r.get("lastUpdated"), r.get("lastMembershipUpdated")) for r in org.records(stream)}


def test_all_streams_are_loaded_and_a_second_read_brings_only_what_changed(source, cache, org):
    source.check()
    source.select_all_streams()
    assert len(source.get_selected_streams()) == STREAMS

    result = source.read(cache=cache)
    assert set(result.streams) == set(source.get_selected_streams())
    latest = {}
    for stream, dataset in result.streams.items():
        table = dataset.to_pandas()
        assert len(table) == org.size(stream), stream
        latest[stream] = table["_airbyte_extracted_at"].max()
    # As a person goes on from there.
    users = result["users"].to_pandas()
    assert set(users["id"]) == {u["id"] for u in org.records("users")}
    assert "DEPROVISIONED" in set(users["status"])
    assert json.loads(users.set_index("id")["profile"].iloc[0])["login"]

    # Nothing changed: of the incremental streams nothing comes, of the others everything again.
    result = source.read(cache=cache)
    for stream in INCREMENTAL:
        assert brought(cache, stream, latest[stream]) == set(), stream
    assert result.processed_records == sum(org.size(stream) for stream in set(result.streams) - INCREMENTAL)

    before = {stream: versions(org, stream) for stream in INCREMENTAL}
    assert org.mutate(60)
    source.read(cache=cache)
    for stream, old in before.items():
        changed = {key for key, version in versions(org, stream).items() if old.get(key) != version}
        assert changed, f"the org moved on without a change of {stream}"
        assert brought(cache, stream, latest[stream]) == changed, stream


def test_three_streams_of_an_unchanged_org_bring_no_record_at_all(source, cache):
    source.select_streams(["users", "groups", "logs"])
    assert source.read(cache=cache).processed_records > 0
    assert source.read(cache=cache).processed_records == 0


@pytest.fixture
def pyab(tmp_path):
    """Airbyte's command line, as PyAirbyte installs it."""

    def run(*args):
        done = subprocess.run(
            [Path(sys.executable).with_name("pyab"), *args], capture_output=True, text=True, timeout=300, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_a_rotated_refresh_token_reaches_the_callback_and_the_next_read_works_with_it(binaries):
    org = Org(binaries / "oktasim", "-web-app=0oawebapp:web-secret-0123456789")
    try:
        credentials = {
            "auth_type": "oauth2.0",
            "client_id": "0oawebapp",
            "client_secret": "web-secret-0123456789",
            "refresh_token": org.said["refresh-token"],
        }
        config = {"domain": org.url, "stream_set": "core", "credentials": credentials}
        for _ in range(2):
            rotated = []
            source = ab.get_source(
                "source-okta",
                config=config,
                local_executable=str(binaries / "source-okta"),
                config_change_callback=rotated.append,
            )
            source.select_streams(["user_types"])
            assert source.read(cache=ab.new_local_cache()).processed_records > 0
            assert rotated, "the rotated config is handed over"
            assert rotated[-1]["domain"] == org.url, "whole"
            assert rotated[-1]["credentials"]["refresh_token"] != config["credentials"]["refresh_token"]
            config = rotated[-1]
    finally:
        org.close()


def test_pyab_validate_finds_the_connector_sound(pyab, binaries, org, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(org.config(stream_set="core")))
    assert "on_forbidden" in pyab(
        "validate", f"--connector={binaries / 'source-okta'}", f"--config={tmp_path / 'config.json'}"
    )


def test_pyab_benchmark_reads_every_stream(pyab, binaries, org, tmp_path, dev_null):
    (tmp_path / "config.json").write_text(json.dumps(org.config(stream_set="core")))
    output = pyab("benchmark", f"--source={binaries / 'source-okta'}", f"--config={tmp_path / 'config.json'}")
    assert re.search(rf"Completed `source-okta -> destination-dev-null` sync at .* \({STREAMS} streams\)", output)


@pytest.fixture(scope="session")
def dev_null(image, tmp_path_factory):
    """The destination that `pyab benchmark` writes to. Where its image cannot be had, one that does as it does: it
    acknowledges states and forgets records."""
    name = "airbyte/destination-dev-null:latest"
    if subprocess.run(["docker", "image", "inspect", name], capture_output=True).returncode == 0:
        return
    context = tmp_path_factory.mktemp("dev-null")
    (context / "run").write_text(DEV_NULL)
    (context / "run").chmod(0o755)
    (context / "Dockerfile").write_text(f'FROM {image}\nCOPY run /run-dev-null\nENTRYPOINT ["/run-dev-null"]\n')
    subprocess.run(["docker", "build", "-q", "-t", name, context], check=True)
    yield
    subprocess.run(["docker", "image", "rm", name], check=True, stdout=subprocess.DEVNULL)


DEV_NULL = """#!/bin/sh
case $1 in
spec) echo '{"type":"SPEC","spec":{"connectionSpecification":{"type":"object","properties":{}},"supported_destination_sync_modes":["append","overwrite","append_dedup"]}}' ;;
check) echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}' ;;
write) grep '^{"type": *"STATE"' || true ;;
esac
"""
