"""airbyte-cdk's acceptance suite for images, on acceptance-test-config.yml.

Run with `--connector-image` naming an image that carries a simulated org (Dockerfile beside this file).
The suite's own tests for images stop short of what it asks of Python connectors: catalog rules, records in every
stream, records against their schemas, a bad catalog. They are asked here with the suite's own assertions.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
from airbyte_cdk.models import (
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
    Type,
)
from airbyte_cdk.test.standard_tests._catalog_checks import find_catalog_problems, format_catalog_problems
from airbyte_cdk.test.standard_tests._read_assertions import (
    assert_read_records,
    assert_schema_validation_opt_out_allowed,
)
from airbyte_cdk.test.standard_tests.docker_base import DockerConnectorTestSuite, get_read_streams, skip_unless_runs
from airbyte_cdk.utils.docker import run_docker_airbyte_command

ROOT = Path(__file__).parents[2]


def run(image, verb, *, config, catalog=None, state=None):
    """Runs a verb in the image, as the suite does, and answers with its messages; `errors` holds what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        volumes, args = [], []
        for name, content in {"config": config, "catalog": catalog, "state": state}.items():
            if content is None:
                continue
            file = Path(folder) / f"{name}.json"
            file.write_bytes(orjson.dumps(content))
            volumes += ["-v", f"{file}:/secrets/{name}.json"]
            args += [f"--{name}", f"/secrets/{name}.json"]
        Path(folder).chmod(0o755)
        return run_docker_airbyte_command(["docker", "run", "--rm", *volumes, image, verb, *args])


class TestSourceOkta(DockerConnectorTestSuite):
    @pytest.fixture
    def image(self, connector_image_override):
        return self._connector_image(connector_image_override, None)

    def test_catalog_obeys_every_rule(self, scenario, image):
        skip_unless_runs(scenario, "discover")
        result = run(image, "discover", config=scenario.get_config_dict(connector_root=ROOT, empty_if_missing=False))
        (message,) = result.get_message_by_types([Type.CATALOG])
        # Those that the suite only warns of too.
        problems = find_catalog_problems(message.catalog)
        assert not problems, format_catalog_problems(problems)

    def test_read_gives_valid_records_of_every_stream(self, scenario, image):
        skip_unless_runs(scenario, "read")
        if scenario.is_basic_read_config:
            assert_schema_validation_opt_out_allowed(
                validate_schema=scenario.validate_schema, test_strictness_level=scenario.test_strictness_level
            )
        config = scenario.get_config_dict(connector_root=ROOT, empty_if_missing=False)
        discovered = run(image, "discover", config=config).catalog.catalog.streams
        catalog = ConfiguredAirbyteCatalog(
            streams=[
                ConfiguredAirbyteStream(stream, SyncMode.full_refresh, DestinationSyncMode.append_dedup)
                for stream in get_read_streams(scenario, discovered, ROOT)
            ]
        )
        result = run(image, "read", config=config, catalog=asdict(catalog))
        result.raise_if_errors()
        assert_read_records(
            records=result.records_iterator,
            configured_catalog=catalog,
            require_records_per_stream=True,
            # The compatible set carries the official schemas, of which logs.device is wrong.
            validate_schema=scenario.is_basic_read_config and scenario.validate_schema,
        )

    def test_read_refuses_a_bad_catalog(self, scenario, image):
        skip_unless_runs(scenario, "read")
        stream = AirbyteStream(
            name="__AIRBYTE__stream_that_does_not_exist",
            json_schema={"type": "object", "properties": {"f1": {"type": "string"}}},
            supported_sync_modes=[SyncMode.full_refresh],
        )
        catalog = {"streams": [{"stream": asdict(stream), "sync_mode": "INVALID", "destination_sync_mode": "INVALID"}]}
        result = run(
            image, "read", config=scenario.get_config_dict(connector_root=ROOT, empty_if_missing=False), catalog=catalog
        )
        assert result.errors
        assert result.trace_messages

    def test_a_state_of_the_future_brings_no_record(self, image):
        config = json.loads((ROOT / "integration_tests/config.json").read_text())
        catalog = json.loads((ROOT / "integration_tests/configured_catalog_incremental.json").read_text())
        state = json.loads((ROOT / "integration_tests/abnormal_state.json").read_text())
        result = run(image, "read", config=config, catalog=catalog, state=state)
        result.raise_if_errors()
        assert not list(result.records)
        sent = {s["stream"]["stream_descriptor"]["name"]: s["stream"]["stream_state"] for s in state}
        got = {m.state.stream.stream_descriptor.name: vars(m.state.stream.stream_state) for m in result.state_messages}
        assert got == sent, "the state goes back as it came"
