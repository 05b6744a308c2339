"""Every block of commands or Python in the README runs, in order, in one folder, on the shipped sample."""

import os
import re
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "jobs").symlink_to(HOME / "jobs")
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "sluice").write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m jobs.cli "$@"\n')
    (commands / "sluice").chmod(0o755)
    (commands / "python").symlink_to(sys.executable)
    environment = {**os.environ, "PYTHONPATH": str(HOME), "PATH": f"{commands}:{os.environ['PATH']}"}
    ran = []
    for language, body in BLOCK.findall((HOME / "README.md").read_text()):
        if language == "yaml":
            name = re.match(r"name: (\S+)", body)
            assert name is not None
            (tmp_path / f"{name[1]}.yaml").write_text(body)
        elif language in ("sh", "python"):
            command = ["sh", "-eux", "-c", body] if language == "sh" else [sys.executable, "-c", body]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
            ran.append(language)
    assert ran.count("sh") >= 4
    assert ran.count("python") >= 2
    assert (tmp_path / "out" / "first" / "report.html").is_file()
