from __future__ import annotations

import pytest
import torch

from brushreel.core import memory
from brushreel.core.memory import free_memory, is_shortage

CPU = torch.device("cpu")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUPS", ((tmp_path / "max", tmp_path / "current"),))
    return tmp_path


def test_what_linux_says_is_available(files):
    (files / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:  2000 kB\n")
    assert free_memory(CPU) == 2000 * 1024


@pytest.mark.parametrize(("limit", "left"), [("500000", 400000), ("max", 2048000), ("50", 0)])
def test_a_container_has_less(files, limit, left):
    (files / "meminfo").write_text("MemAvailable: 2000 kB\n")
    (files / "max").write_text(limit)
    (files / "current").write_text("100000\n")
    assert free_memory(CPU) == left


@pytest.mark.parametrize(
    ("content", "left"),
    [
        ("anon 20000\ninactive_file 30000\nactive_file 500\n", 430000),
        ("inactive_file 0\ntotal_inactive_file 30000\n", 430000),
        ("inactive_file", 400000),
        ("inactive_file many", 400000),
    ],
)
def test_what_a_container_keeps_of_files_is_free(files, content, left):
    (files / "meminfo").write_text("MemAvailable: 2000 kB\n")
    (files / "max").write_text("500000")
    (files / "current").write_text("100000\n")
    (files / "memory.stat").write_text(content)
    assert free_memory(CPU) == left


@pytest.mark.parametrize("content", ["", "MemAvailable:", "MemAvailable: lots"])
def test_not_known(files, content):
    (files / "meminfo").write_text(content)
    assert free_memory(CPU) is None


@pytest.mark.parametrize(
    ("error", "shortage"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("Exception: std::bad_alloc"), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_a_shortage_looks_like(error, shortage):
    assert is_shortage(error) == shortage
