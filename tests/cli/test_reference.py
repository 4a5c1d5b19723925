"""Completion and manual page: made from the parsers, read by the programs that they are for."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from brushreel.cli import _parser, main
from brushreel.core.options import SHELLS
from brushreel.core.reference import markdown

BASH, GROFF = (shutil.which(name) or "" for name in ("bash", "groff"))


def printed(capsys, *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_takes_its_completion(shell, capsys, tmp_path):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    script = tmp_path / "completion"
    script.write_text(printed(capsys, "completion", shell), encoding="utf-8")
    subprocess.run([program, "-n", str(script)], check=True, capture_output=True)


@pytest.mark.skipif(not BASH, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("brushreel sty", {"styles", "stylize"}),
        ("brushreel stylize --stren", {"--strength"}),
        ("brushreel stylize clip.mov --codec h26", {"h264"}),
        ("brushreel stylize cl", {"clip.mov"}),
    ],
)
def test_bash_completes(typed, offered, capsys, tmp_path):
    (tmp_path / "completion").write_text(printed(capsys, "completion", "bash"), encoding="utf-8")
    (tmp_path / "clip.mov").touch()
    words = typed.split()
    listed = " ".join(f"'{word}'" for word in words)
    ask = (
        "source ./completion\n"
        f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; COMPREPLY=()\n"
        f"_shtab_brushreel brushreel {words[-1]} {words[-2]}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    ended = subprocess.run(
        [BASH, "--norc", "-c", ask], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert offered <= {line.strip() for line in ended.stdout.splitlines()}
    assert not [line for line in ended.stdout.split() if not line.startswith(words[-1])]


def test_the_manual_has_every_command_and_flag(capsys):
    page = printed(capsys, "manual")
    assert page.startswith(".TH BRUSHREEL 1 ")
    text = page.replace("\\-", "-")
    assert set(re.findall(r"^\.SS (.+)$", text, re.MULTILINE)) == {
        *re.findall(r"^## (.+)$", markdown(_parser()), re.MULTILINE)
    }
    assert "--stroke-size SIZE" in text
    assert "%(default)" not in text


@pytest.mark.skipif(not GROFF, reason="needs groff")
def test_the_manual_is_set_without_a_warning(capsys):
    ended = subprocess.run(
        [GROFF, "-man", "-Tutf8", "-ww", "-z"],
        input=printed(capsys, "manual"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""


def test_the_reference_has_a_table_for_every_command():
    text = markdown(_parser())
    assert "## brushreel stylize\n" in text
    assert "## brushreel resolve run" not in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)
