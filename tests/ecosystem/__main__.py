"""Run programs of other people's libraries against a live server and check what is stored.

    python -m tests.ecosystem             every program
    python -m tests.ecosystem mcp_tools   those whose name contains a word

The libraries are installed once, from `requirements.txt` and `package-lock.json`, into
directories of their own beside this file (some 900 MB, two minutes). Programs are processes of
their own, configured by LANGSMITH_* and OPENAI_* variables alone; the model they ask is
`model_server.py`. Ends with 1 if a program fails or stored something else than it should.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path

from langsmith import Client

from tests.ecosystem.checks import CHECKS, Ended
from tests.ecosystem.model_server import model_server
from tests.live import Live, live_server

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
VENV, NODE_MODULES = HERE / "venv", PROGRAMS / "node_modules"
PROGRAM_S = 180
SETTLE_S = 20


def install() -> None:
    """Install the libraries, unless what the lock files name is there."""
    lock = HERE / "requirements.txt"
    mark = VENV / ".installed-from"
    if not mark.exists() or mark.read_text() != _digest(lock):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--requirement", str(lock)], check=True)
        mark.write_text(_digest(lock))
    lock, mark = PROGRAMS / "package-lock.json", NODE_MODULES / ".installed-from"
    if not mark.exists() or mark.read_text() != _digest(lock):
        npm = shutil.which("npm")
        assert npm, "the programs in JavaScript need npm"
        words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(words, cwd=PROGRAMS, check=True)
        mark.write_text(_digest(lock))


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def run(program: str, live: Live, model_url: str) -> str:
    """Run `program` in a project of its own name and return what it printed."""
    interpreter = shutil.which("node") if program.endswith(".mjs") else VENV / "bin" / "python"
    ended = subprocess.run(
        [str(interpreter), str(PROGRAMS / program)],
        cwd=PROGRAMS,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": live.endpoint,
            "LANGSMITH_API_KEY": live.key,
            "LANGSMITH_PROJECT": program,
            "OPENAI_API_KEY": "sk-not-a-real-one",
            "OPENAI_BASE_URL": model_url,
            "OPENAI_API_BASE": model_url,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 0, f"ended with {ended.returncode}: {ended.stderr[-3_000:]}"
    return ended.stdout


def check(program: str, client: Client, output: str) -> int:
    """Hold what is stored against what should be; return how many runs that is.

    Some exporters send after their process says it is done, hence more than one look.
    """
    deadline = time.monotonic() + SETTLE_S
    while True:
        try:
            has_runs = client.has_project(program)  # an experiment has a project of its own
            runs = list(client.list_runs(project_name=program)) if has_runs else []
            CHECKS[program](Ended(client, program, runs, output))
            return len(runs)
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def main(words: list[str]) -> int:
    """Run the programs whose names contain one of `words`; return the exit status."""
    programs = [name for name in CHECKS if not words or any(word in name for word in words)]
    install()
    warnings.simplefilter("ignore")  # the SDK has deprecated what these programs' users call
    n_failed = 0
    with live_server() as live, model_server() as model_url:
        client = Client(api_url=live.endpoint, api_key=live.key)
        for program in programs:
            try:
                n_runs = check(program, client, run(program, live, model_url))
            except Exception:
                n_failed += 1
                print(f"{program:24} FAILED\n{traceback.format_exc()}", flush=True)
            else:
                print(f"{program:24} passed, {n_runs} runs", flush=True)
        has_raised = "Traceback" in live.log
        if has_raised:
            print(f"the server raised:\n{live.log[-4_000:]}")
    print(f"{len(programs) - n_failed} passed, {n_failed} failed")
    return 1 if n_failed or has_raised else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
