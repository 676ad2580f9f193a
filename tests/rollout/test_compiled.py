"""Compiled functions where nothing can be kept."""

import importlib.util
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from spinhw.rollout.compiled import kept


def test_without_a_folder_to_write_to_functions_are_compiled_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    """A file stands where each cache would be, which stops an administrator too."""
    (tmp_path / "__pycache__").touch()
    (tmp_path / "home").touch()
    (tmp_path / "functions.py").write_text("def double(x):\n    return 2 * x\n", encoding="utf-8")
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home" / "none"))
    mocker.patch("numba.core.config.CACHE_DIR", "")
    spec = importlib.util.spec_from_file_location("functions", tmp_path / "functions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    first, _ = (kept()(module.double) for _ in range(2))
    assert first(21) == 42
    assert caplog.text.count("compiled functions cannot be kept") == 1
