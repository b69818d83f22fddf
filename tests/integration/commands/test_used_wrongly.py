"""Whatever is used wrongly ends with exit status 2, whoever finds it: typer, the command, or the core."""

from pathlib import Path

import pytest

from residency.errors import KovraError
from router.cli.deeds import DEEDS, OTHERS
from router.cli.main import COMMANDS, main, whole
from router.cli.usage import CODES
from tests.integration.api.test_deeds import CALLS


def status_of(monkeypatch: pytest.MonkeyPatch, home: Path, *arguments: str) -> int:
    monkeypatch.setenv("KOVRA_HOME", str(home))
    monkeypatch.setattr("sys.argv", ["kovra", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_no_operator_is_a_wrong_use_of_every_command_that_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOVRA_OPERATOR", "x")
    assert set(CALLS) == set(DEEDS)
    for command, arguments in CALLS.items():
        assert status_of(monkeypatch, tmp_path, *command.split(), *arguments) == 2, command


def test_a_required_argument_or_option_that_is_left_out_is_a_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needing = []
    for name in (*DEEDS, *OTHERS):
        first, *below = name.split()
        command = whole(first)
        for word in below:
            command = command.commands[word]
        if any(one.required for one in command.params):
            needing.append(name)
            assert status_of(monkeypatch, tmp_path, *name.split()) == 2, name
    assert len(needing) > 20


@pytest.mark.parametrize(
    "arguments",
    [
        ("batch", "submit", "lines.csv"), ("batch", "submit", "lines.txt"), ("batch", "submit", "none.csv"), ("pay", "none.csv"),
        ("trace", "tr_1"), ("sandbox", "advance", "soon"),
        ("payments", "list", "--from", "yesterday"), ("fees", "explain", "1e3", "EUR", "IDR"),
    ],
)  # fmt: skip
def test_what_is_not_of_its_kind_is_a_wrong_use(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("lines.csv", "lines.txt"):
        (tmp_path / name).write_text("recipient_id\n")
    assert status_of(monkeypatch, tmp_path / "home", *arguments) == 2


def test_every_code_of_wrong_use_is_of_some_failure() -> None:
    for name in COMMANDS:
        whole(name)

    def below(kind: type[KovraError]) -> set[str]:
        return {kind.code}.union(*(below(one) for one in kind.__subclasses__()))

    assert below(KovraError) >= CODES
