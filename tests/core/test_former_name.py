"""Style files of the former name: refused with the way out, and taken over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from platformdirs import user_data_path

from brushreel.cli import main
from brushreel.core.errors import OutputError, StyleError
from brushreel.core.former_name import former_library, renamed
from brushreel.core.library import adopt, load_style, user_styles
from brushreel.core.style import Style


def under_former_name(path: Path) -> bytes:
    """Return a style file's content as it would have been written under the former name."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header["__metadata__"]["housestyle_format"] = header["__metadata__"].pop("brushreel_format")
    code = json.dumps(header).encode()
    return len(code).to_bytes(8, "little") + code + content[start:]


@pytest.fixture
def former(style_file) -> Path:
    style_file.write_bytes(under_former_name(style_file))
    return style_file


def test_is_refused_with_the_way_out(former):
    with pytest.raises(StyleError, match=r"former name.*brushreel styles --adopt"):
        Style.load(former)


def test_is_taken_over_whole(former, tiny_style):
    (output,) = adopt(former)
    assert output == user_styles() / former.name
    style = load_style("tiny")
    assert style.digest == tiny_style.digest
    assert style.painting == tiny_style.painting
    assert former.exists()


def test_a_folder_and_a_name_that_is_taken(former, tmp_path):
    assert len(adopt(tmp_path)) == 1
    with pytest.raises(OutputError, match="there is a style of that name"):
        adopt(former)
    with pytest.raises(StyleError, match="contains no style file"):
        adopt(user_styles().parent)


@pytest.mark.parametrize("content", [b"", b"not one", b"\x02" + b"\0" * 7 + b"[]"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(StyleError, match="is not a style file of the former name"):
        adopt(path)


def test_a_present_style_is_not_taken_over(style_file):
    with pytest.raises(ValueError, match="former name"):
        renamed(style_file.read_bytes())


def test_the_command_says_where_the_former_library_is(former, capsys):
    folder = user_data_path("housestyle", appauthor=False) / "styles"
    folder.mkdir(parents=True)
    former.rename(folder / former.name)
    assert former_library() == folder
    with pytest.raises(StyleError, match=f"--adopt {folder}"):
        load_style("tiny")
    assert main(["styles"]) == 0
    assert f"brushreel styles --adopt {folder}" in capsys.readouterr().err
    assert main(["styles", "--adopt", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(user_styles() / former.name)
    assert main(["styles"]) == 0
    assert "adopt" not in capsys.readouterr().err
