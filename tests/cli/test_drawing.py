"""Whatever fails in drawing costs nothing that was measured."""

import errno
import logging
from pathlib import Path

import pytest

from spinhw.cli.drawing import drawing, drawing_alone
from spinhw.errors import ConfigError
from spinhw.plots.canvas import attempted

FAILURES = [
    (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    (ValueError("no font"), "ValueError: no font"),
    (ImportError("no matplotlib"), "ImportError: no matplotlib"),
]


@pytest.mark.parametrize(("error", "seen"), FAILURES)
def test_what_fails_in_drawing_ends_a_command_that_is_there_for_it(error: Exception, seen: str) -> None:
    with (
        pytest.raises(ConfigError, match=f"a.png: the pictures could not be drawn; seen: {seen}; next: all is in b;"),
        drawing_alone(Path("a.png"), "all is in b", "try again"),
    ):
        raise error


@pytest.mark.parametrize(("error", "seen"), [*FAILURES, (ConfigError("the folder cannot be made"), "the folder cann")])
def test_what_fails_in_drawing_ends_no_other_command(
    error: Exception, seen: str, caplog: pytest.LogCaptureFixture
) -> None:
    with drawing(Path("a.png"), "all is in b", "try again") as outcome:
        raise error
    assert outcome.failed
    assert f"a.png: the pictures could not be drawn; seen: {seen}" in caplog.text
    assert "next: all is in b; free some space or close the picture, then try again" in caplog.text
    assert len(caplog.records) == 1


def test_one_that_is_drawn_has_not_failed(caplog: pytest.LogCaptureFixture) -> None:
    with drawing(Path("a.png"), "all is in b", "try again") as outcome:
        pass
    assert not outcome.failed and not caplog.records


def test_a_picture_among_other_work_is_left_out_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), attempted(Path("a.png")):
        raise RuntimeError("no font")
    assert "a.png: this picture could not be drawn (RuntimeError: no font)" in caplog.text
