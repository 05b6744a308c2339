import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.submit import PACKAGES, Job, entry_point, follow, runtime_env, stage
from schemas.errors import InputError, OutputError

HOME = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "lab").mkdir(parents=True)
    (folder / "recipes").mkdir()
    (folder / "lab" / "rules.py").write_text("def cut(document):\n    return {**document, 'text': document['text'][:3]}\n")
    (folder / "recipes" / "tiny.yaml").write_text("name: tiny\nstages: ['lab.rules:cut', word_count: {min_words: 1}]\n")
    monkeypatch.chdir(folder)
    return folder


def sent(job: Job, target: Path) -> set[str]:
    stage(job, target)
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


def test_the_recipe_the_users_modules_and_our_packages_are_sent(project: Path, tmp_path: Path) -> None:
    files = sent(Job(Path("recipes/tiny.yaml"), project), tmp_path / "out")
    assert {"recipes/tiny.yaml", "lab/rules.py", "jobs/cli.py", "pipeline/registry.py", "filters/word_count.py"} <= files
    assert {name.partition("/")[0] for name in files} == {"recipes", "lab", *PACKAGES}


@pytest.mark.parametrize(
    "name",
    [
        *(
            ".git/config",
            "lab/.git/config",
            ".venv/lib/x.py",
            "env2/pyvenv.cfg",
            "runs/a/manifest.json",
            "lab/__pycache__/rules.pyc",
        ),
        *("docs.jsonl", "docs.parquet", "docs.jsonl.gz", "data/words.txt", "secret.txt", ".env"),
    ],
)
def test_data_environments_runs_and_what_is_excluded_are_not_sent(project: Path, tmp_path: Path, name: str) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("x")
    assert name not in sent(Job(Path("recipes/tiny.yaml"), project, exclude=("secret.*",)), tmp_path / "out")


def test_a_recipe_from_elsewhere_is_put_into_the_folder(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("name: other\n")
    job = Job(other, project, ("--input", "/shared/a b"))
    assert "other.yaml" in sent(job, tmp_path / "out")
    assert entry_point(job) == "python -m jobs.cli run other.yaml --engine ray --address auto --input '/shared/a b'"


def test_our_own_tree_is_sent_without_tests_and_samples(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text("name: tiny\n")
    files = sent(Job(recipe, HOME), tmp_path / "out")
    assert "pyproject.toml" in files
    assert not [name for name in files if name.startswith(("tests/", "docs/", "jobs/sample/"))]
    assert sum((tmp_path / "out" / name).stat().st_size for name in files) < 5_000_000


def test_an_upload_that_is_too_large_is_refused_with_its_largest_files(project: Path, tmp_path: Path) -> None:
    (project / "model.bin").write_bytes(b"x" * 6_000_000)
    (project / "small.txt").write_text("x")
    with pytest.raises(OutputError, match=r"more than 5 MB. The largest files:\n +6\.00 MB  model\.bin\n"):
        stage(Job(Path("recipes/tiny.yaml"), project), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "model.bin" in sent(Job(Path("recipes/tiny.yaml"), project, max_bytes=20_000_000), tmp_path / "out")


def test_a_package_with_one_of_our_names_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "filters").mkdir()
    (project / "filters" / "mine.py").write_text("")
    with pytest.raises(InputError, match="has the name of one of Sluice's packages"):
        stage(Job(Path("recipes/tiny.yaml"), project), tmp_path / "out")


def test_no_cluster_is_one_clear_message(project: Path) -> None:
    result = CliRunner().invoke(app, ["submit", "recipes/tiny.yaml", "--address", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert result.stderr.startswith("sluice: http://127.0.0.1:9: ")
    assert "Traceback" not in result.stderr


def test_a_missing_recipe_is_told_before_anything_is_sent(project: Path) -> None:
    result = CliRunner().invoke(app, ["submit", "gone.yaml", "--address", "http://127.0.0.1:9"])
    assert (result.exit_code, result.stderr) == (2, "sluice: gone.yaml: no such recipe\n")


HEAD = """
import sys
import ray
from ray._private.parameter import RayParams
made = RayParams.__init__
# An agent listens on one port of the machine, whatever the cluster, and ray.init has no parameter for it.
agent = {"dashboard_agent_listen_port": int(sys.argv[3])}
RayParams.__init__ = lambda self, *given, **named: made(self, *given, **named | agent)
found = ray.init(
    num_cpus=2, include_dashboard=True, dashboard_host="127.0.0.1", dashboard_port=int(sys.argv[2]), log_to_driver=False,
    object_store_memory=100_000_000, _temp_dir=sys.argv[1], _node_ip_address="127.0.0.1",
)
print(found.dashboard_url, flush=True)
sys.stdin.read()
ray.shutdown()
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A Ray head of its own on this machine, which ends with its standard input."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, agent_port = one.getsockname()[1], other.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    # the cluster's own `python` is the one that runs this test
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "PATH": path}
    # Ray's sockets lie below this folder, and the path of a socket has at most 107 bytes
    with tempfile.TemporaryDirectory(prefix="sluice-ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        head = subprocess.Popen(
            [sys.executable, "-c", HEAD, folder, str(port), str(agent_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        assert head.stdout
        try:
            url = head.stdout.readline().strip()
            assert url, "the Ray head did not start"
            yield f"http://{url}"
        finally:
            head.communicate(timeout=60)


def test_a_job_on_a_cluster_writes_the_run_and_its_exit_code_is_ours(project: Path, tmp_path: Path, cluster: str) -> None:
    docs = tmp_path / "docs.jsonl"
    docs.write_text("\n".join(json.dumps({"id": f"d{number}", "text": "word " * (number % 2)}) for number in range(10)))

    def submit(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "jobs.cli", "submit", "recipes/tiny.yaml", "--address", cluster, *options]
        environment = {**os.environ, "PYTHONPATH": str(HOME), "RAY_AUTH_MODE": "disabled"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    good = submit("--input", str(docs), "--output", str(tmp_path / "runs" / "a"))
    bad = submit("--input", str(tmp_path / "gone.jsonl"), "--output", str(tmp_path / "runs" / "b"))
    told, errors = good.communicate(timeout=120)
    assert good.returncode == 0, told + errors
    assert "5 of 10 documents kept" in told
    size = re.search(r"files, ([0-9.]+) MB sent", errors)
    assert size
    assert 0.05 < float(size.group(1)) < 5
    assert json.loads((tmp_path / "runs" / "a" / "manifest.json").read_text())["state"] == "complete"
    told, errors = bad.communicate(timeout=120)
    assert bad.returncode == 2, told + errors
    assert "gone.jsonl" in told


class Client:
    """A job server that shows a log and then is interrupted, or ends."""

    def __init__(self, status: str, code: int | None, interrupt: bool = False) -> None:
        self.status, self.code, self.interrupt, self.stopped = status, code, interrupt, False

    async def tail_job_logs(self, identity: str) -> AsyncIterator[str]:
        yield "first line\n"
        if self.interrupt:
            raise KeyboardInterrupt

    def get_job_info(self, identity: str) -> Any:
        status = SimpleNamespace(value=self.status, is_terminal=lambda: True)
        return SimpleNamespace(status=status, driver_exit_code=self.code, message="the message")

    def stop_job(self, identity: str) -> None:
        self.stopped = True


@pytest.mark.parametrize(
    ("status", "code", "ours"), [("SUCCEEDED", 0, 0), ("FAILED", 3, 3), ("FAILED", None, 1), ("STOPPED", None, 1)]
)
def test_the_exit_code_is_the_jobs(status: str, code: int | None, ours: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(Client(status, code), "job-1") == ours
    assert capsys.readouterr().out == "first line\n"


def test_ctrl_c_asks_the_job_to_stop(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    client = Client("RUNNING", None, interrupt=True)
    assert follow(client, "job-1") == 130
    assert client.stopped
    assert "job-1 was asked to stop" in capsys.readouterr().err


def test_logs_come_line_by_line() -> None:
    assert runtime_env(Path("/x")) == {
        "working_dir": "/x",
        "env_vars": {"PYTHONUNBUFFERED": "1", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
    }
