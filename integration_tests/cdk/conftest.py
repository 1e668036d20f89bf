import os

import pytest


@pytest.fixture
def connector_image_override(request):
    """The image that the suite tests: never one that it builds, for it knows no Go."""
    return request.config.getoption("--connector-image") or os.environ.get("TEST_IMAGE", "source-okta-test:dev")
