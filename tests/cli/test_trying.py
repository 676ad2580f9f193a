"""From data to a first answer: what is printed and left behind, and one line for whatever is wrong with the data."""

import numpy as np
import pytest
from scipy.io import wavfile

from spinhw.training import RunFolder, load_settings

NAMES = ("recording", "t", "x", "label")
ROWS = [
    (f"s{n}", step, round(float(np.sin(step * (1 + n % 2))) + n / 100, 4), "ab"[n % 2])
    for n in range(20)
    for step in range(6)
]
SMALL = ("--set", "training.epochs=1", "--set", "network.layers=[3]", "--set", "training.substeps=1", "--seeds", 2)


def csv(folder, rows=ROWS, names=NAMES, name="mine.csv"):
    (folder / name).write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n", encoding="utf-8")
    return folder / name


def test_a_first_answer(spinhw, tmp_path):
    done = spinhw("try", csv(tmp_path), "--target", "label", "--out", tmp_path / "run", *SMALL)
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    for words in (
        "20 sequences of 6 samples, 1 channel",
        "2 classes: a 10, b 10",
        "the column recording tells sequences apart",
        "the test part was not looked at",
        "the largest class 50.0 %",
        "network less linear, on the same sequences: ",
        " points, 95 % interval ",
        f"spinhw baselines {tmp_path / 'run'}",
        "dt < tau",
        "hundredths",
        "per sequence of 6 ns",
    ):
        assert words in said, done.out
    run = RunFolder.open(tmp_path / "run")
    assert run.summary()["held_out"] == "validation"
    assert (run.figures / "confusion.png").is_file()
    recipe = load_settings(tmp_path / "run" / "mine.yaml")
    assert f"spinhw train {tmp_path / 'run' / 'mine.yaml'}" in done.out
    assert recipe.final_part == "test"
    tried = run.settings().training.model_copy(update={"final_part": "test"})
    assert (recipe.training, recipe.network, recipe.task) == (tried, run.settings().network, run.settings().task)
    assert "# dt < tau" in (tmp_path / "run" / "mine.yaml").read_text(encoding="utf-8")


def test_a_long_series_that_is_foretold(spinhw, tmp_path, mocker):
    drawn = mocker.patch("spinhw.plots.draw_run", return_value={"prediction": tmp_path / "prediction.png"})
    rows = [(round(float(np.sin(step / 3)), 4),) for step in range(300)]
    done = spinhw("try", csv(tmp_path, rows, ("level",)), "--target", "level", "--out", tmp_path / "run", *SMALL)
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    for words in (
        "one long series",
        "the next sample of the target",
        "NRMSE on the",
        "windows of the validation part",
        "on the same windows: ",
    ):
        assert words in said, done.out
    assert "picture: " in done.out
    drawn.assert_called_once()


def refused(spinhw, folder, words, *options, data="mine.csv"):
    """Try, and look for the words in the one line that comes of it."""
    done = spinhw("try", folder / data, *options, "--out", folder / "run")
    assert done.code == 2, done.out
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert not [word for word in words if word not in done.err], done.err
    assert "Traceback" not in done.err
    assert not (folder / "run").exists()


def changed(place, row):
    return [row if number == place else one for number, one in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [*ROWS, ("s20", 0, 1, "c"), ("s20", 1, 1, "c")],
            ("mine.csv: line 122", "a label that occurs once", "seen: c"),
        ),
        ([(*row[:3], "a") for row in ROWS], ("there is one class only",)),
        (changed(7, ("s1", 1, "nan", "b")), ("mine.csv: line 9, column x", "missing or no number")),
        (changed(7, ("s1", 1, "", "b")), ("mine.csv: line 9, column x", "missing")),
        (changed(7, ("s1", 1, 2, "")), ("mine.csv: line 9, column label", "missing")),
        (changed(7, ("s1", 1, 2, "a")), ("mine.csv: line 9, column label", "changes within a sequence")),
        (changed(7, ("s1", -1, 2, "b")), ("mine.csv: line 9", "run backwards")),
        (changed(7, ("s1", 1.5, 2, "b")), ("mine.csv: line 9", "unevenly spaced", "--set task.resample")),
        (ROWS[:12], ("a label that occurs once",)),
        (ROWS[:6], ("there is one class only",)),
        ([], ("no rows",)),
    ],
)
def test_rows_that_will_not_do(spinhw, tmp_path, rows, words):
    csv(tmp_path, rows)
    refused(spinhw, tmp_path, words, "--target", "label")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--target", "lable"), ("--target", "seen: lable", "did you mean 'label'?")),
        (("--target", "label", "--sequence", "recordin"), ("--sequence", "did you mean 'recording'?")),
        (("--target", "label", "--inputs", "x,z"), ("--inputs", "seen: z")),
        (("--target", "label", "--time", "tt"), ("--time: there is no such column",)),
        (("--target", "label", "--group", "who"), ("--group: there is no such column",)),
        (("--target", "label", "--layout", "rows"), ("--layout", "seen: rows", "samples, sequences")),
        (("--target", "label", "--answers", "clas"), ("--answers", "did you mean 'class'?")),
        (("--target", "label", "--answers", "values"), ("mine.csv: line 2, column label", "no number")),
        (("--target", "label", "--set", "task.anwers=class"), ("--set task.anwers:", "did you mean 'answers'?")),
        (("--target", "label", "--set", "training.epoch=3"), ("--set training.epoch", "did you mean 'epochs'?")),
        (("--target", "label", "--set", "task.split.validation=0"), ("validation",)),
        (("--target", "label", "--test", "nowhere.csv"), ("--test", "no such file")),
    ],
)
def test_options_that_do_not_fit(spinhw, tmp_path, options, words):
    csv(tmp_path)
    refused(spinhw, tmp_path, words, *options)


def test_a_target_that_nobody_named(spinhw, tmp_path):
    csv(tmp_path, names=(*NAMES[:3], "gesture"))
    refused(spinhw, tmp_path, ("--target: nothing says", "recording, t, x, gesture", "add --target NAME"))


def test_files_that_are_not_read(spinhw, tmp_path):
    csv(tmp_path)
    (tmp_path / "mine.txt").write_text("1 2 3", encoding="utf-8")
    refused(spinhw, tmp_path, ("nobody knows how to read", ".parquet"), data="mine.txt")
    refused(spinhw, tmp_path, ("no such file or folder", "did you mean 'mine.csv'?"), data="mine.cvs")
    (tmp_path / "wavs").mkdir()
    refused(spinhw, tmp_path, ("no WAV files",), data="wavs")
    wavfile.write(tmp_path / "wavs" / "a.wav", 8000, np.zeros(10, np.int16))
    refused(spinhw, tmp_path, ("--target: there are no columns in wavs",), "--target", "label", data="wavs")
    (tmp_path / "a.ts").write_text("@univariate true\n@classLabel true a b\n@data\n1,2:a\n:b\n", encoding="utf-8")
    refused(spinhw, tmp_path, ("a.ts: line 5",), data="a.ts")
    np.savez(tmp_path / "a.npz", values=np.zeros((3, 4)))
    refused(spinhw, tmp_path, ("--inputs: nothing says which array", "add --inputs NAME"), data="a.npz")


def test_a_folder_that_is_there_is_left_alone(spinhw, tmp_path):
    (tmp_path / "run").mkdir()
    done = spinhw("try", csv(tmp_path), "--target", "label", "--out", tmp_path / "run")
    assert (done.code, "this exists already" in done.err) == (2, True)
