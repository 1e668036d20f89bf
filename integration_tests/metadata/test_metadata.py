"""metadata.yaml against ConnectorMetadataDefinitionV0 and the rules that Airbyte's registry adds to it."""

import importlib.resources
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from uuid import UUID

import airbyte_connector_models.metadata.v0 as v0
import jsonschema
import pytest
import yaml
from airbyte_cdk.models.connector_metadata import MetadataFile
from airbyte_connector_models.metadata.v0.connector_metadata_definition_v0 import ConnectorMetadataDefinitionV0

ROOT = Path(__file__).parents[2]
OFFICIAL_DEFINITION = UUID("1d4fdb25-64fc-4569-92da-fcdca79a8372")


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((ROOT / "metadata.yaml").read_text())


def test_metadata_is_valid_against_the_json_schema(document):
    schema = json.loads((importlib.resources.files(v0) / "ConnectorMetadataDefinitionV0.json").read_text())
    jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)


def test_metadata_is_valid_against_the_models(document):
    ConnectorMetadataDefinitionV0.model_validate(document)
    assert MetadataFile.from_file(ROOT / "metadata.yaml").data.dockerRepository == "source-okta"


def test_metadata_follows_the_rules_of_the_registry(document):
    data = document["data"]
    assert all(re.fullmatch(r"[^:]+:[^:]+", tag) for tag in data["tags"])
    assert any(tag.startswith("language:") for tag in data["tags"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", data["dockerImageTag"])
    assert UUID(data["definitionId"]) != OFFICIAL_DEFINITION, "two connectors in one platform need two ids"
    assert ET.parse(ROOT / data["icon"]).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_metadata_names_the_same_version_as_image_and_changelog(document):
    version = document["data"]["dockerImageTag"]
    assert f"ARG VERSION={version}\n" in (ROOT / "Dockerfile").read_text()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
