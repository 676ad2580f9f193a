"""Whatever fails in drawing costs nothing that was measured."""

import errno
import logging
from pathlib import Path

import pytest

from spinhw.cli.drawing import drawing
from spinhw.errors import ConfigError
from spinhw.plots.canvas import attempted


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (ValueError("no font"), "ValueError: no font"),
        (ImportError("no matplotlib"), "ImportError: no matplotlib"),
    ],
)
def test_what_fails_in_drawing_is_one_line_that_says_what_is_safe(error: Exception, seen: str) -> None:
    with (
        pytest.raises(ConfigError, match=f"a.png: the pictures could not be drawn; seen: {seen}; next: all is in b;"),
        drawing(Path("a.png"), "all is in b", "try again"),
    ):
        raise error


def test_a_picture_among_other_work_is_left_out_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), attempted(Path("a.png")):
        raise RuntimeError("no font")
    assert "a.png: this picture could not be drawn (RuntimeError: no font)" in caplog.text
