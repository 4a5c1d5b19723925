"""Scripts into Resolve's folders and out of them; what the doctor says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from brushreel.cli import main
from brushreel.core.errors import EditorError, OutputError
from brushreel.plugin_resolve.script.doctor import examine, remember_resolve
from brushreel.plugin_resolve.script.folders import Folders
from brushreel.plugin_resolve.script.install import CONFIG, contents, install, uninstall
from brushreel.plugin_resolve.script.resolve.application import Resolve

NAMES = ["Brushreel.json", "Brushreel.lua", "Brushreel.py"]


@pytest.fixture(autouse=True)
def config(home, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders.here("linux", tmp_path / "home", {}, tmp_path / "root")


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("platform", "environment", "user", "system"),
    [
        (
            "darwin",
            {},
            "home/Library/Application Support/Blackmagic Design/DaVinci Resolve",
            "root/Library/Application Support/Blackmagic Design/DaVinci Resolve",
        ),
        (
            "win32",
            {"APPDATA": "roaming", "PROGRAMDATA": "data"},
            "roaming/Blackmagic Design/DaVinci Resolve/Support",
            "data/Blackmagic Design/DaVinci Resolve",
        ),
        ("linux", {}, "home/.local/share/DaVinciResolve", "root/opt/resolve"),
        ("linux", {"XDG_DATA_HOME": "xdg"}, "xdg/DaVinciResolve", "root/opt/resolve"),
    ],
)
def test_folders_are_those_that_resolve_reads(platform, environment, user, system):
    found = Folders.here(platform, Path("home"), environment, Path("root"))
    assert found.user == Path(user) / "Fusion/Scripts/Utility"
    assert found.system == Path(system) / "Fusion/Scripts/Utility"


def test_install_writes_and_uninstall_removes(folders):
    assert all("would be written" in line for line in install(folders, dry_run=True))
    assert not folders.user.exists()
    assert all("written" in line for line in install(folders))
    assert listing(folders.user) == NAMES
    assert all("up to date" in line for line in install(folders))
    (folders.user / "other.py").write_text("mine")
    assert all("would be removed" in line for line in uninstall(folders, dry_run=True))
    uninstall(folders)
    assert listing(folders.user) == ["other.py"]


def test_system_folder_is_another_one(folders):
    install(folders, system=True)
    assert listing(folders.system) == NAMES
    assert not folders.user.exists()


def test_settings_lead_to_this_environment(folders):
    install(folders)
    settings = json.loads((folders.user / CONFIG).read_text(encoding="utf-8"))
    assert settings["python"] == sys.executable
    assert settings["arguments"][-2:] == ["resolve", "run"]
    assert (Path(settings["scripts"]) / "brushreel_bridge.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_ours_stays(folders, name):
    folders.user.mkdir(parents=True)
    (folders.user / name).write_text("somebody's own")
    with pytest.raises(EditorError, match="was not written by Brushreel"):
        install(folders)
    assert listing(folders.user) == [name]
    assert "stays" in uninstall(folders)[0]
    assert (folders.user / name).read_text() == "somebody's own"


def test_older_scripts_are_replaced(folders):
    install(folders)
    path = folders.user / "Brushreel.py"
    path.write_text("# brushreel resolve install\nold")
    install(folders)
    assert path.read_text() == contents()["Brushreel.py"]


def test_folder_that_can_not_be_made_is_named(folders, tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(OutputError, match="home"):
        install(folders)


def findings(folders: Folders) -> dict[str, tuple[str, str]]:
    return {one.subject: (one.status, f"{one.detail} {one.fix}") for one in examine(folders)}


def test_doctor_says_what_is_missing_and_what_to_do(folders):
    found = findings(folders)
    assert found["resolve"][0] == "missing"
    assert "Workspace > Scripts" in found["edition"][1]
    assert found["scripts"] == ("missing", f"none in {folders.user} brushreel resolve install")


def test_doctor_is_content_when_all_is_there(folders, tmp_path):
    (tmp_path / "root/opt/resolve/bin").mkdir(parents=True)
    (tmp_path / "root/opt/resolve/bin/resolve").touch()
    (tmp_path / "root/opt/resolve/ResolvePython").mkdir()
    install(folders)
    found = findings(folders)
    assert {found[name][0] for name in ("resolve", "python", "scripts")} == {"ok"}
    assert "Resolve's own" in found["python"][1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("brushreel resolve install", "an incomplete installation"),
        (
            json.dumps({"written_by": "brushreel resolve install", "python": "/gone/python"}),
            "gone",
        ),
    ],
)
def test_doctor_sees_a_broken_installation(folders, text, said):
    install(folders)
    (folders.user / CONFIG).write_text(text)
    status, line = findings(folders)["scripts"]
    assert status == "broken"
    assert said in line and "brushreel resolve install" in line


@pytest.mark.parametrize(
    ("product", "version", "status"),
    [
        ("DaVinci Resolve", "21.0.3.7", "ok"),
        ("DaVinci Resolve", "21.1.0.2", "broken"),
        ("DaVinci Resolve Studio", "21.1.0.2", "ok"),
    ],
)
def test_doctor_knows_which_edition_runs_scripts(folders, cut, product, version, status):
    the = cut()
    the.world.product, the.world.version = product, version
    remember_resolve(Resolve(the.resolve))
    found = findings(folders)["edition"]
    assert found[0] == status
    assert product in found[1]


def test_app_store_build_is_named(tmp_path):
    folders = Folders.here("darwin", tmp_path, {}, tmp_path)
    assert folders.sandbox is not None
    folders.sandbox.mkdir(parents=True)
    assert findings(folders)["app store"][0] == "broken"


def test_command_prints_a_line_each(home, capsys):
    assert main(["resolve", "install"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["resolve", "doctor", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["subject"] for line in lines} >= {"resolve", "edition", "python", "scripts"}
    assert main(["resolve", "uninstall"]) == 0
    assert not list((home / "data").rglob("Brushreel.*"))
