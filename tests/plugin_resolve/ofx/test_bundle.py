from __future__ import annotations

import platform
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import brushreel
from brushreel import native
from brushreel.core.errors import OutputError
from brushreel.plugin_resolve.ofx import bundle as bundles


@pytest.fixture(autouse=True)
def ours(compiled, monkeypatch, tmp_path):
    """Nothing outside the test's folder is looked at."""
    monkeypatch.setattr(bundles, "_OURS", compiled)
    monkeypatch.setitem(bundles._SYSTEM_FOLDERS, sys.platform, tmp_path / "system" / "Plugins")
    monkeypatch.delenv("OFX_PLUGIN_PATH", raising=False)


def test_is_installed_checked_and_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("OFX_PLUGIN_PATH", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    assert bundles.check() == ["the effect is not installed: brushreel resolve install --ofx"]
    said = bundles.install()
    bundle = tmp_path / "first" / bundles.BUNDLE
    assert said[0] == f"installed {bundle}"
    assert (bundle / "Contents" / "Linux-x86-64" / "Brushreel.ofx").exists()
    assert (bundle / "Contents" / "Info.plist").exists()
    assert bundles.check() == []
    bundles.install()  # over the older one
    assert bundles.check() == []
    assert [path.name for path in (tmp_path / "first").iterdir()] == [bundles.BUNDLE]
    assert bundles.uninstall() == [f"removed {bundle}"]
    assert bundles.uninstall() == ["the effect was not installed"]


def test_a_dry_run_changes_nothing(tmp_path):
    said = bundles.install(tmp_path / "here", dry_run=True)
    assert said[0] == f"would install {tmp_path / 'here' / bundles.BUNDLE}"
    assert not (tmp_path / "here").exists()
    bundles.install(tmp_path / "here")
    assert "would remove" in bundles.uninstall(tmp_path / "here", dry_run=True)[0]
    assert (tmp_path / "here" / bundles.BUNDLE).exists()


def test_the_systems_folder(tmp_path):
    assert bundles.install(system=True)[0].startswith(f"installed {tmp_path / 'system'}")
    assert bundles.check() == []


def test_a_folder_that_hosts_do_not_look_in_is_said(tmp_path):
    assert f"OFX_PLUGIN_PATH={tmp_path}" in bundles.install(tmp_path)[1]


def test_a_folder_that_can_not_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        bundles.install(tmp_path / "file")


def test_an_update_that_fails_leaves_the_older_effect(tmp_path, monkeypatch):
    monkeypatch.setenv("OFX_PLUGIN_PATH", str(tmp_path))
    bundles.install()
    rename = Path.rename

    def scanned(path: Path, target: Path) -> Path:
        if path.name.endswith(".partial"):
            raise PermissionError(13, "a virus scanner is reading it")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", scanned)
    with pytest.raises(OutputError, match="can't be written: this account lacks the permission"):
        bundles.install()
    assert bundles.check() == []
    assert [path.name for path in tmp_path.iterdir()] == [bundles.BUNDLE]


def test_a_file_that_can_not_be_copied_is_said(tmp_path, monkeypatch, compiled):
    ours = tmp_path / "ours"
    shutil.copytree(compiled, ours)
    (ours / "dangling").symlink_to("nowhere")
    monkeypatch.setattr(bundles, "_OURS", ours)
    with pytest.raises(OutputError, match="not every file can be copied"):
        bundles.install(tmp_path / "plugins")


def test_without_an_effect_for_this_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, "_OURS", tmp_path / "nothing")
    with pytest.raises(OutputError, match="has no OpenFX effect"):
        bundles.install(tmp_path)
    assert "C compiler" in bundles.check()[0]
    assert bundles.examine().status == "missing"


def test_what_is_broken_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("OFX_PLUGIN_PATH", str(tmp_path))
    bundles.install()
    contents = tmp_path / bundles.BUNDLE / "Contents"
    (contents / "Resources" / "server").write_text("/styles\n/no/such/python\n")
    assert "does not know how to start" in bundles.check()[0]


def test_a_library_that_does_not_load_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("OFX_PLUGIN_PATH", str(tmp_path))
    bundles.install()
    library = tmp_path / bundles.BUNDLE / "Contents" / "Linux-x86-64" / "Brushreel.ofx"
    library.unlink()
    library.write_bytes(b"no library")
    assert "can't be loaded" in bundles.check()[0]


def test_depends_on_the_system_alone(compiled):
    library = compiled / "Contents" / "Linux-x86-64" / "Brushreel.ofx"
    ldd = shutil.which("ldd")
    assert ldd is not None
    said = subprocess.run([ldd, library], capture_output=True, text=True, check=True).stdout
    assert {line.split()[0].split("/")[-1] for line in said.splitlines()} <= {
        "linux-vdso.so.1",
        "libc.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "ld-linux-x86-64.so.2",
    }


def test_both_processors_of_a_mac_share_a_file():
    thin = [
        struct.pack("<III", 0xFEEDFACF, processor, 3) + bytes([processor & 255]) * 99
        for processor in (0x01000007, 0x0100000C)
    ]
    both = native.universal(thin)
    assert struct.unpack_from(">II", both) == (0xCAFEBABE, 2)
    for index, content in enumerate(thin):
        entry = struct.unpack_from(">5I", both, 8 + 20 * index)
        assert entry[2] % 2**14 == 0
        assert both[entry[2] : entry[2] + entry[3]] == content


@pytest.mark.slow
@pytest.mark.parametrize("compiler", [True, False])
def test_a_wheel_holds_what_is_compiled_if_there_is_a_compiler(tmp_path, monkeypatch, compiler):
    tree = tmp_path / "tree"
    ours = Path(brushreel.__file__).parent
    compiled = (native.BUNDLE, native.KERNELS.name, native.SCALING.name)
    shutil.copytree(ours, tree, ignore=shutil.ignore_patterns(".*", "build", *compiled))
    if not compiler:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CC", raising=False)
    wheel = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "-w", tmp_path], cwd=tree, check=True, capture_output=True)
    (made,) = tmp_path.glob("*.whl")
    assert ("linux_x86_64" in made.name) == compiler
    held = {name for name in zipfile.ZipFile(made).namelist() if name.endswith((".ofx", ".so"))}
    libraries = native.libraries(sys.platform, platform.machine())
    wanted = {f"brushreel/{library.path.as_posix()}" for library in libraries}
    assert held == (wanted if compiler else set())
