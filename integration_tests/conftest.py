"""What the suites share: the binaries of this work tree, the image, and a simulated org on loopback."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOKEN = "00simTokenSimTokenSimTokenSimTokenSimToken"


@pytest.fixture(scope="session")
def binaries(tmp_path_factory):
    """A folder with source-okta and oktasim."""
    folder = tmp_path_factory.mktemp("bin")
    subprocess.run(["go", "build", "-o", folder, ".", "./cmd/oktasim"], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="session")
def image():
    return os.environ.get("IMAGE", "source-okta:dev")


class Org:
    """A simulated org in a process of its own."""

    def __init__(self, oktasim, *flags):
        self.process = subprocess.Popen(
            [oktasim, "-limits=none", "-users=300", "-groups=30", "-apps=8", "-devices=40", "-events=2500", *flags],
            stderr=subprocess.PIPE,
            text=True,
        )
        ready = self.process.stderr.readline().split()
        assert ready[:3] == ["oktasim", "ready", "at"], ready
        self.url = ready[3]
        # What else it said, in pairs: token, ca, refresh-token.
        self.said = dict(zip(ready[4::2], ready[5::2]))

    def config(self, **options):
        """The domain as a full URL, and an API token."""
        return {"domain": self.url, "credentials": {"auth_type": "api_token", "api_token": TOKEN}, **options}

    def _ask(self, path, method="GET"):
        return urllib.request.urlopen(urllib.request.Request(f"{self.url}/_sim/{path}", method=method), timeout=60)

    def records(self, stream):
        """Every record that exists, the parents' ids among its members."""
        with self._ask(f"records/{stream}?origin={self.url}") as lines:
            return [r["parents"] | r["data"] for r in map(json.loads, lines)]

    def size(self, stream):
        return len(self.records(stream))

    def mutate(self, n):
        """Makes n changes of mixed kinds."""
        with self._ask(f"mutate?n={n}", method="POST") as answer:
            return json.load(answer)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=10)


@pytest.fixture
def org(binaries):
    org = Org(binaries / "oktasim")
    yield org
    org.close()
