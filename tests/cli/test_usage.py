"""What is typed otherwise than a command wants it: what to write is said."""

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("check bench-virtual", "Missing option '--device'. write: spinhw check --device bench-virtual"),
        ("off bench-virtual --all", "Missing option '--device'. write: spinhw off --device bench-virtual"),
        ("off", "write: spinhw off --device NAME"),
        (
            "calibrate my-chip --plan quick",
            "No such command 'my-chip'; for a device write: spinhw calibrate --device my",
        ),
        ("train --resume runs/a", "Missing argument 'config'. write: spinhw train runs/a/config.yaml --resume runs/a"),
        ("train --resume", "Option '--resume' requires an argument"),
        ("train digits.yaml training.epochs=3", "(training.epochs=3); a change of a key is written --set KEY=VALUE"),
        (
            "train digits.yaml --set training.seeds=[0, 1]",
            "(1]); a change of a key is written --set KEY=VALUE, in quotes",
        ),
        ("train my run.yaml", "(run.yaml); a name or a value with blanks in it stands in quotes"),
        ("calibrate show my record.yaml", "(record.yaml); a name or a value with blanks in it stands in quotes"),
        ("trian digits.yaml", "No such command 'trian'. Did you mean 'train'?"),
        ("train", "Missing argument 'config'."),
    ],
)
def test_a_word_in_the_wrong_place_gets_a_hint(spinhw, words: str, said: str) -> None:
    shown = spinhw(*words.split())
    assert shown.code == 2
    assert said in " ".join(shown.err.replace("\u2502", " ").split())
