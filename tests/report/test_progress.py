"""What a run says of itself on the way, where nobody watches a bar."""

import io

import pytest
from rich.console import Console

from spinhw.report import TerminalProgress


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"accuracy": [0.5, 0.7]}, "loss 1.000  accuracy 60.0 %"),
        ({"accuracy": [0.5], "accuracy_on_device": [0.9]}, "loss 1.000  accuracy on the device 90.0 %"),
        ({"train_accuracy": [0.8, 0.9], "accuracy": [0.5, 0.7]}, "loss 1.000  accuracy 60.0 %"),
        ({"train_accuracy": [0.8, 0.9]}, "loss 1.000  train accuracy 85.0 %"),
        ({}, "loss 1.000"),
    ],
)
def test_the_accuracy_that_counts_is_told(row, told):
    written = io.StringIO()
    with TerminalProgress(Console(file=written, width=120)) as progress:
        progress.on_epoch(row)
        progress.on_batch(1, 3, (2, 3), 1.0, 0.1)
    [line] = written.getvalue().strip().splitlines()
    assert line == f"training: 6/6  epoch 2/2  {told}"
