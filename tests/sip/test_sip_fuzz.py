"""The fuzz targets hold for the vectors, and for everything that fuzzing ever found."""

import importlib.util
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


TARGETS = module().TARGETS


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_fuzzing_found_is_mended(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_holds_for_every_vector(target: str) -> None:
    for path in VECTORS:
        data = path.read_bytes()
        TARGETS[target](data)
        TARGETS[target](data.partition(b"\r\n\r\n")[2])
