"""The partner's page, run as it stands there: from nothing to a webhook that verifies."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.whole_stack import RunningStack

PAGE = Path(__file__).resolve().parents[2] / "router" / "PARTNERS.md"
_FILE = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)
_LINES = re.compile(r"^( *)```sh\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def script() -> str:
    """Every line of shell on the page, in order."""
    return "\n".join(block for _, block in _LINES.findall(PAGE.read_text()))


def test_the_payment_takes_five_calls() -> None:
    [calls] = re.findall(r"## The five calls\n(.*?)\n## ", PAGE.read_text(), re.DOTALL)
    made = re.findall(r"^call .*/v1/(\S+?)\"", calls, re.MULTILINE)
    assert made == ["sandbox/deposits", "recipients", "payers", "quotes", "transfers"]


@pytest.mark.timeout(480)
def test_the_page_leads_from_nothing_to_a_verified_webhook(stack: RunningStack, tmp_path: Path) -> None:
    for name, text in _FILE.findall(PAGE.read_text()):
        (tmp_path / name).write_text(text)
    environment = os.environ | {
        "KOVRA_URL": stack.status.router_url,
        "KOVRA_API_KEY": stack.sandbox.key,
        "HOOK_PORT": str(stack.webhook_port),
        "KOVRA_HOME": str(stack.home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    # The last line is the page's own: the listener ends with the shell.
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"trap 'kill $(jobs -p)' EXIT\n{script()}"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=450, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [transfer_id] = re.findall(r"^(tr_eu1_[0-9a-v]{26}) is FUNDS_HELD$", ran.stdout, re.MULTILINE)
    assert f"verified transfer.completed {transfer_id}\n" in ran.stdout
    assert '"remedy":' in ran.stdout, "the page about the problem"
    assert '"id":"qt_eu1_' in (tmp_path / "signed.json").read_text(), "the quote that was asked for by a signed request"
    assert "SANDBOX REJECT" in ran.stdout, "the table of magic values"
