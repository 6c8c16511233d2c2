"""The fuzz targets hold for the vectors, and for everything that fuzzing ever found."""

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
FOUND = sorted((ROOT / "vectors" / "fuzz").glob("*/*"))
VECTORS = sorted((ROOT / "vectors" / "sip").rglob("*.sip"))


def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_targets", ROOT.parent / "fuzz" / "targets.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


MODULE = module()
TARGETS = MODULE.TARGETS


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_fuzzing_found_is_fixed(path: Path) -> None:
    target = TARGETS[path.parent.name]
    MODULE.in_time(target, target)(path.read_bytes())


def test_an_input_that_is_slow_each_time_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = itertools.count(step=0.06)  # each look at the clock is 60 ms after the one before it
    monkeypatch.setattr(MODULE.time, "thread_time", lambda: next(cpu))
    read: list[bytes] = []
    with pytest.raises(MODULE.TooSlow, match="2 bytes take 60 ms"):
        MODULE.in_time(read.append, read.append)(b"xx")
    assert read == [b"xx"] * 4


def test_an_input_that_is_slow_once_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = iter((0.0, 0.06, 1.0, 1.04))
    monkeypatch.setattr(MODULE.time, "thread_time", lambda: next(cpu))
    MODULE.in_time(len, len)(b"xx")


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_holds_for_every_vector(target: str) -> None:
    for path in VECTORS:
        data = path.read_bytes()
        TARGETS[target](data)
        TARGETS[target](data.partition(b"\r\n\r\n")[2])
