"""The image as a person runs it and as Airbyte's platform does, against a simulated org on the host's loopback."""

import json
import os
import signal
import subprocess
import threading
from collections import Counter

import pytest

# What the platform gives a container to run, word for word but for the names of its files:
# airbyte-workload-launcher, ContainerCommandFactory.kt. ENTRYPOINT and CMD play no part.
PLATFORM_SCRIPT = """
if [ -z "$AIRBYTE_ENTRYPOINT" ]; then
  echo "Entrypoint was not set! AIRBYTE_ENTRYPOINT must be set in the container."
  exit 127
else
  echo "Using AIRBYTE_ENTRYPOINT: $AIRBYTE_ENTRYPOINT"
fi

( %s ) &
CHILD_PID=$!

(while true; do if [ -f TERMINATED ]; then kill $CHILD_PID; exit 0; fi; sleep %d; done) &

wait $CHILD_PID
EXIT_CODE=$?

echo $EXIT_CODE > TEMP_EXIT_CODE.txt
mv TEMP_EXIT_CODE.txt exitCode.txt

exit $EXIT_CODE
"""
READ = """
if [ ! -f inputState.json ]; then
  eval "$AIRBYTE_ENTRYPOINT read --config connectorConfig.json --catalog catalog.json" 2> stderr > stdout
else
  eval "$AIRBYTE_ENTRYPOINT read --config connectorConfig.json --catalog catalog.json --state inputState.json" 2> stderr > stdout
fi
"""
# With ROOTLESS_WORKLOAD, which is also what Kubernetes' restricted profile asks for.
ROOTLESS = ["--user=1000:1000", "--cap-drop=ALL", "--security-opt=no-new-privileges"]


@pytest.fixture
def folder(tmp_path):
    """An empty folder that uid 1000 may write, as the platform's emptyDir is."""
    tmp_path.chmod(0o777)
    return tmp_path


def docker(*args, **options):
    return subprocess.run(
        ["docker", "run", "--rm", "--network=host", *args], capture_output=True, text=True, timeout=300, **options
    )


def messages(text):
    return [json.loads(line) for line in text.splitlines()]


def only(text, kind):
    found = [m for m in messages(text) if m["type"] == kind]
    assert len(found) == 1, f"{len(found)} messages of type {kind}"
    return found[0]


def verb(image, folder, *args):
    return docker(f"--volume={folder}:/data:ro", image, *args)


def configure(catalog, sync_mode=None):
    return {
        "streams": [
            {
                "stream": s,
                "sync_mode": sync_mode or s["supported_sync_modes"][-1],
                "destination_sync_mode": "append",
                "cursor_field": s.get("default_cursor_field", []),
                "primary_key": s.get("source_defined_primary_key", []),
            }
            for s in catalog["streams"]
        ]
    }


def test_image_says_who_it_is_and_runs_as_airbyte(image):
    config = json.loads(subprocess.check_output(["docker", "image", "inspect", "-f", "{{json .Config}}", image]))
    env = dict(e.split("=", 1) for e in config["Env"])
    assert env["AIRBYTE_ENTRYPOINT"] == " ".join(config["Entrypoint"]) == "/airbyte/source-okta"
    assert config["Labels"]["io.airbyte.name"] == "source-okta"
    assert config["Labels"]["io.airbyte.version"] == "0.1.0"
    shell = docker("--entrypoint=sh", image, "-c", "id -u; id -un; stat -c %U /airbyte")
    assert shell.stdout.split() == ["1000", "airbyte", "airbyte"]
    needed = "command -v sleep && command -v mv && test -s /etc/ssl/certs/ca-certificates.crt"
    assert docker("--entrypoint=sh", image, "-c", needed).returncode == 0


def test_docker_run_does_the_four_verbs(image, org, folder):
    (folder / "config.json").write_text(json.dumps(org.config(stream_set="core")))

    spec = verb(image, folder, "spec")
    assert spec.returncode == 0
    assert only(spec.stdout, "SPEC")["spec"]["connectionSpecification"]["properties"]["domain"]

    check = verb(image, folder, "check", "--config", "/data/config.json")
    assert check.returncode == 0
    assert only(check.stdout, "CONNECTION_STATUS")["connectionStatus"]["status"] == "SUCCEEDED"

    discover = verb(image, folder, "discover", "--config", "/data/config.json")
    assert discover.returncode == 0
    catalog = only(discover.stdout, "CATALOG")["catalog"]
    assert len(catalog["streams"]) == 21

    (folder / "catalog.json").write_text(json.dumps(configure(catalog)))
    read = verb(image, folder, "read", "--config", "/data/config.json", "--catalog", "/data/catalog.json")
    assert read.returncode == 0, read.stdout[-2000:]
    records = Counter(m["record"]["stream"] for m in messages(read.stdout) if m["type"] == "RECORD")
    assert set(records) == {s["name"] for s in catalog["streams"]}
    assert records["users"] == org.size("users")
    states = {
        m["state"]["stream"]["stream_descriptor"]["name"]: m["state"]
        for m in messages(read.stdout)
        if m["type"] == "STATE"
    }
    assert set(states) == set(records)

    (folder / "state.json").write_text(json.dumps(list(states.values())))
    again = verb(
        image,
        folder,
        "read",
        "--config",
        "/data/config.json",
        "--catalog",
        "/data/catalog.json",
        "--state",
        "/data/state.json",
    )
    assert again.returncode == 0
    repeated = Counter(m["record"]["stream"] for m in messages(again.stdout) if m["type"] == "RECORD")
    assert not {"users", "groups", "logs", "devices"} & set(repeated), "an unchanged org has nothing new"


def test_a_sigterm_to_the_container_is_not_a_success(image, org, folder):
    (folder / "config.json").write_text(json.dumps(org.config(stream_set="core")))
    catalog = only(verb(image, folder, "discover", "--config", "/data/config.json").stdout, "CATALOG")["catalog"]
    (folder / "catalog.json").write_text(json.dumps(configure(catalog)))
    with subprocess.Popen(
        ["docker", "run", "--rm", "--network=host", "--name=source-okta-sigterm", f"--volume={folder}:/data:ro", image,
         "read", "--config", "/data/config.json", "--catalog", "/data/catalog.json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as run:  # fmt: skip
        # A full pipe that nobody empties holds the read until the signal comes.
        first = run.stdout.readline()
        subprocess.run(
            ["docker", "kill", "--signal=TERM", "source-okta-sigterm"], check=True, stdout=subprocess.DEVNULL
        )
        rest = run.stdout.read()
        code = run.wait(timeout=60)
    assert code == 128 + signal.SIGTERM
    for line in (first + rest).splitlines():
        json.loads(line)


def on_platform(image, folder, command, *options, poll=10):
    return ["docker", "run", "--rm", "--network=host", f"--volume={folder}:/source", "--workdir=/source", *options,
            "--entrypoint=sh", image, "-c", PLATFORM_SCRIPT % (command, poll)]  # fmt: skip


@pytest.mark.parametrize("options", [[], ROOTLESS], ids=["as the image's user", "rootless"])
def test_the_platform_script_does_check_discover_and_spec(image, org, folder, options):
    (folder / "connectionConfiguration.json").write_text(json.dumps(org.config(stream_set="core")))
    for args, kind in [
        ("spec", "SPEC"),
        ("check --config connectionConfiguration.json", "CONNECTION_STATUS"),
        ("discover --config connectionConfiguration.json", "CATALOG"),
    ]:
        command = on_platform(image, folder, f'eval "$AIRBYTE_ENTRYPOINT {args}" > jobOutput.json', *options)
        run = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stdout + run.stderr
        assert (folder / "exitCode.txt").read_text() == "0\n"
        only((folder / "jobOutput.json").read_text(), kind)


class Pipes:
    """The platform's ends of the connector's stdout and stderr, which are FIFOs."""

    def __init__(self, folder):
        self.text = {}
        self.threads = []
        for name in ("stdout", "stderr"):
            os.mkfifo(folder / name)
            (folder / name).chmod(0o666)
            thread = threading.Thread(target=self.drain, args=(folder / name, name))
            thread.start()
            self.threads.append(thread)

    def drain(self, path, name):
        self.text[name] = path.read_text()

    def join(self):
        for thread in self.threads:
            thread.join(timeout=60)
        return self.text["stdout"], self.text["stderr"]


@pytest.mark.parametrize("options", [[], ROOTLESS], ids=["as the image's user", "rootless"])
def test_the_platform_script_reads_through_fifos_and_goes_on_from_its_state(image, org, folder, options):
    config = org.config(stream_set="compatible")
    (folder / "connectorConfig.json").write_text(json.dumps(config))
    catalog = only(
        docker(f"--volume={folder}:/source:ro", image, "discover", "--config", "/source/connectorConfig.json").stdout,
        "CATALOG",
    )["catalog"]
    (folder / "catalog.json").write_text(json.dumps(configure(catalog)))

    pipes = Pipes(folder)
    run = subprocess.run(on_platform(image, folder, READ, *options), capture_output=True, text=True, timeout=300)
    stdout, stderr = pipes.join()
    assert run.returncode == 0, stderr
    assert (folder / "exitCode.txt").read_text() == "0\n"
    assert "Using AIRBYTE_ENTRYPOINT: /airbyte/source-okta" in run.stdout
    records = Counter(m["record"]["stream"] for m in messages(stdout) if m["type"] == "RECORD")
    assert records["users"] == org.size("users")
    # As the platform writes it: an array of state messages with an id of its own in each.
    states = {}
    for m in messages(stdout):
        if m["type"] == "STATE":
            states[m["state"]["stream"]["stream_descriptor"]["name"]] = m["state"] | {"id": len(states) + 1}
    assert len(states) == 9
    (folder / "inputState.json").write_text(json.dumps(list(states.values())))
    for name in ("stdout", "stderr", "exitCode.txt"):
        (folder / name).unlink()

    pipes = Pipes(folder)
    run = subprocess.run(on_platform(image, folder, READ, *options), capture_output=True, text=True, timeout=300)
    stdout, stderr = pipes.join()
    assert run.returncode == 0, stderr
    again = Counter(m["record"]["stream"] for m in messages(stdout) if m["type"] == "RECORD")
    assert not {"users", "groups", "logs"} & set(again)


def test_a_cancelled_read_on_the_platform_ends_at_once(image, org, folder):
    (folder / "connectorConfig.json").write_text(json.dumps(org.config(stream_set="core")))
    catalog = only(
        docker(f"--volume={folder}:/source:ro", image, "discover", "--config", "/source/connectorConfig.json").stdout,
        "CATALOG",
    )["catalog"]
    (folder / "catalog.json").write_text(json.dumps(configure(catalog)))
    for name in ("stdout", "stderr"):
        os.mkfifo(folder / name)
        (folder / name).chmod(0o666)
    # TERMINATED never comes: a closed pipe alone must end the read.
    run = subprocess.Popen(on_platform(image, folder, READ, poll=600), stdout=subprocess.DEVNULL)
    drained = threading.Thread(target=(folder / "stderr").read_text)
    drained.start()
    with (folder / "stdout").open() as stdout:
        stdout.readline()
    assert run.wait(timeout=60) != 0, "a read that was cut off must not look complete"
    drained.join(timeout=60)
    assert (folder / "exitCode.txt").read_text() != "0\n"
