"""Whatever is wrong with data is one line that says where, code 2, and nothing has been trained."""

import numpy as np
import pytest
import yaml
from scipy.io import wavfile

NAMES = "who,t,x,y,label"
ROWS = [f"s{n},{step},{step + n},{n - step},{'ab'[n % 2]}" for n in range(10) for step in range(4)]
TASK = {"columns": {"inputs": ["x", "y"], "target": "label", "sequence": "who", "time": "t"}}
NETWORK = {"layers": [2]}


def recipe(folder, file, task=None, **keys):
    """Write a recipe for a file of this folder."""
    said = {"kind": "series", "file": file, **(TASK if task is None else task)}
    run = {"task": said, "network": NETWORK, "training": {"seeds": [0], "epochs": 1}, **keys}
    (folder / "my.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    return folder / "my.yaml"


def refused(spinhw, folder, *words, options=()):
    """Train, and look for the words in the one line that comes of it."""
    done = spinhw("train", folder / "my.yaml", "--out", folder / "run", *options)
    assert done.code == 2, done.err + done.out
    assert len(done.err.strip().splitlines()) == 1
    assert not [word for word in words if word not in done.err], done.err
    assert "Traceback" not in done.err
    assert not (folder / "run").exists()
    return done.err


def csv(folder, rows=ROWS, names=NAMES, name="a.csv"):
    (folder / name).write_text("\n".join([names, *rows]) + "\n", encoding="utf-8")


def changed(number, text):
    return [text if place == number else row for place, row in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (changed(5, "s1,1,,0,b"), ("a.csv: line 7, column x", "missing")),
        (changed(5, "s1,1,nan,0,b"), ("a.csv: line 7, column x", "nan")),
        (changed(5, "s1,1,1;5,0,b"), ("a.csv: line 7, column x", "1;5")),
        (changed(5, 's1,1,"1,5",0,b'), ("a.csv: line 7, column x", "decimal point")),
        (changed(5, "s1,1,2,0,"), ("a.csv: line 7, column label", "missing")),
        (changed(5, "s1,1,2,0,nan"), ("a.csv: line 7, column label", "missing")),
        (changed(5, "s1,1,2,0,a"), ("a.csv: line 7, column label", "changes within a sequence", "a after b")),
        (changed(5, "s1,1,2,0"), ("a.csv: line 7", "4 cells", "allowed: 5")),
        (changed(5, "s1,-1,2,0,b"), ("a.csv: line 7", "run backwards", "-1 after 0")),
        (changed(5, "s1,1.5,2,0,b"), ("a.csv: line 7", "unevenly spaced", "resample")),
        (changed(5, "s1,now,2,0,b"), ("a.csv: line 7, column t", "now")),
        (changed(6, "s0,7,2,0,a"), ("a.csv: line 8", "goes on after another one began", "seen: s0")),
        ([*ROWS, "s10,0,1,1,c", "s10,1,1,1,c"], ("line 42", "a label that occurs once", "seen: c")),
        ([row[:-1] + "a" for row in ROWS], ("there is one class only", "seen: a")),
        ([], ("a.csv", "no rows")),
    ],
)
def test_rows_that_will_not_do(spinhw, tmp_path, rows, words):
    csv(tmp_path, rows)
    recipe(tmp_path, "a.csv")
    refused(spinhw, tmp_path, "my.yaml", *words)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"target": "lable"}, ("task.columns.target", "seen: lable", "did you mean 'label'?")),
        ({"target": "label", "inputs": ["x", "z"]}, ("task.columns.inputs", "seen: z")),
        ({"target": "label", "sequence": "whom"}, ("task.columns.sequence", "did you mean 'who'?")),
        ({"target": "label", "time": "tt"}, ("task.columns.time", "seen: tt")),
        ({"target": "label", "group": "speaker"}, ("task.columns.group", "seen: speaker")),
        ({"target": ["label", "x"]}, ("task.columns.target", "a class is told by one column")),
        ({}, ("task.columns.target", "nothing says which column")),
        ({"target": "label", "who": "t"}, ("task.columns: unknown key 'who'",)),
        ({"target": "label", "sequnce": "who"}, ("did you mean 'sequence'?",)),
    ],
)
def test_columns_that_are_not_there(spinhw, tmp_path, columns, words):
    csv(tmp_path)
    recipe(tmp_path, "a.csv", {"columns": columns})
    refused(spinhw, tmp_path, "my.yaml", *words)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"split": {"kind": "group"}}, ("task.columns.group", "split.kind is 'group'")),
        ({"split": {"kind": "time"}}, ("window.samples is missing",)),
        ({"split": {"test": 0, "validation": 0}}, ("nothing is held out",)),
        ({"split": {"kind": "by_hand"}}, ("task.split.kind",)),
        ({"split": {"test": 1.5}}, ("task.split.test",)),
        ({"window": {"samples": 9}}, ("too short for task.window", "4 samples")),
        ({"window": {"washout": 2}}, ("window.washout",)),
        ({"window": {"horizon": 1}}, ("window.horizon",)),
        ({"window": {"reach_back": True}}, ("window.reach_back", "split.kind fraction")),
        ({"test_file": "a.csv", "split": {"test": 0.5}}, ("test_file and split.test",)),
        ({"scaling": {"kind": "standart"}}, ("task.scaling.kind", "standard")),
        ({"scaling": {"kind": "range", "lowest": 1, "highest": 0}}, ("write the lower one first",)),
        ({"answers": "value"}, ("task.answers",)),
        ({"resample": 0}, ("task.resample",)),
        ({"layout": "sequences", "answers": "values_per_step"}, ("task.layout",)),
        ({"file": "b.csv"}, ("task.file", "no such file", "did you mean 'a.csv'?")),
        ({"file": "my.yaml"}, ("task.file", "nobody knows how to read", ".parquet")),
        ({"file": None}, ("task.file", "nothing says which series")),
    ],
)
def test_keys_that_do_not_fit_the_data(spinhw, tmp_path, task, words):
    csv(tmp_path)
    recipe(tmp_path, "a.csv", TASK | task)
    refused(spinhw, tmp_path, "my.yaml", *words)


def test_a_table_without_names_and_with_a_name_twice(spinhw, tmp_path):
    recipe(tmp_path, "a.csv")
    csv(tmp_path, names="1,2,3,4,5")
    refused(spinhw, tmp_path, "line 1 holds numbers")
    csv(tmp_path, names="who,t,x,x,label")
    refused(spinhw, tmp_path, "names two columns alike", "seen: x")
    (tmp_path / "a.csv").write_bytes(b"who,t,x,y,label\n\xff\xfe,1,2,3,a\n")
    refused(spinhw, tmp_path, "not written in UTF-8")


@pytest.mark.parametrize(
    ("names", "rows", "words"),
    [
        (NAMES, [*ROWS, "s10,0,1,1,aa", "s10,1,1,1,aa"], ("b.csv: line 42", "no such class in a.csv", "allowed: a, b")),
        ("who,t,x,z,label", ROWS, ("task.columns.inputs", "b.csv", "seen: y")),
    ],
)
def test_a_test_file_with_other_classes_or_channels(spinhw, tmp_path, names, rows, words):
    csv(tmp_path)
    csv(tmp_path, rows, names, "b.csv")
    recipe(tmp_path, "a.csv", TASK | {"test_file": "b.csv"})
    refused(spinhw, tmp_path, "my.yaml", *words)


def arrays(**changes):
    return {"inputs": np.zeros((10, 4, 2)) + np.arange(4)[:, None], "targets": np.arange(10) % 2} | changes


HOLED = np.ones((10, 4, 2))
HOLED[3, 2, 1] = np.nan


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (arrays(inputs=HOLED), ("a.npz: sequence 3, sample 2, column 1", "missing")),
        (arrays(lengths=np.array([4] * 9 + [0])), ("length of sequence 9", "seen: 0")),
        (arrays(lengths=np.array([4] * 9 + [5])), ("length of sequence 9", "seen: 5")),
        (arrays(lengths=np.array([4] * 9)), ("shape of lengths",)),
        (arrays(targets=np.arange(9) % 2), ("targets", "seen: 9")),
        (arrays(targets=np.array([0.0] * 9 + [np.nan])), ("label of sequence 9", "missing")),
        (arrays(targets=np.zeros((10, 3))), ("shape of the labels",)),
        (arrays(inputs=np.zeros((10, 4), dtype=str)), ("type of inputs",)),
        (arrays(inputs=np.zeros((0, 4, 2)), targets=np.zeros(0)), ("there are no sequences",)),
        (arrays(inputs=np.zeros((10, 0, 2))), ("sequence 0", "empty")),
        (arrays(inputs=np.array([{}] * 10, object)), ("objects of Python", "never read")),
        ({"a": np.zeros(3)}, ("task.columns.inputs", "nothing says which array")),
    ],
)
def test_arrays_that_do_not_fit(spinhw, tmp_path, stored, words):
    np.savez(tmp_path / "a.npz", **stored)
    recipe(tmp_path, "a.npz", {})
    refused(spinhw, tmp_path, "my.yaml", *words)


@pytest.mark.parametrize("name", ["a.npz", "a.nc", "a.ts"])
def test_files_that_are_none_of_their_kind(spinhw, tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\xff nonsense")
    recipe(tmp_path, name, {})
    refused(spinhw, tmp_path, name)


TS = """@problemName p
@univariate false
@dimensions 2
@equalLength true
@seriesLength 3
@classLabel true a b
@data
"""
GOOD = ["1,2,3:4,5,6:a", "1,2,3:4,5,6:b"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,2,3:4,5,6:7,8,9:a", ("line 8", "disagrees about the channels", "seen: 3")),
        ("1,2:3,4:a", ("line 8", "disagrees about the samples", "seen: 2", "allowed: 3")),
        ("1,2,3:4,5:a", ("line 8", "not equally long", "3, 2")),
        ("1,?,3:4,5,6:a", ("line 8, sample 1, channel 0", "missing", "seen: ?")),
        ("1,2,3:4,NaN,6:a", ("line 8, sample 1, channel 1", "missing")),
        ("1,2,3:4,five,6:a", ("line 8, sample 1, channel 1", "no number", "five")),
        ("1,2,3:4,5,6:c", ("line 8", "a label that the header does not name", "allowed: a, b")),
    ],
)
def test_a_ts_header_that_disagrees_with_its_rows(spinhw, tmp_path, line, words):
    (tmp_path / "a.ts").write_text(TS + "\n".join([line, *GOOD * 4]) + "\n", encoding="utf-8")
    recipe(tmp_path, "a.ts", {})
    refused(spinhw, tmp_path, "a.ts", *words)


@pytest.mark.parametrize(
    ("said", "instead", "word"),
    [
        ("@dimensions 2", "@dimensions two", "@dimensions"),
        ("@equalLength true", "@equalLength maybe", "@equallength"),
        ("@equalLength true", "@timeStamps true", "@timeStamps"),
        ("@classLabel true a b", "@classLabel false", "@classLabel"),
        ("@classLabel true a b", "@targetLabel true", "write answers: values"),
        ("@data\n", "", "data before the line @data"),
    ],
)
def test_a_ts_header_that_cannot_be_read(spinhw, tmp_path, said, instead, word):
    (tmp_path / "a.ts").write_text(TS.replace(said, instead) + "\n".join(GOOD * 4) + "\n", encoding="utf-8")
    recipe(tmp_path, "a.ts", {})
    refused(spinhw, tmp_path, "a.ts", word)


def test_wav_files_of_another_rate_and_without_a_label(spinhw, tmp_path):
    for label, rate in (("up", 8000), ("down", 8000)):
        (tmp_path / "wav" / label).mkdir(parents=True)
        for number in range(3):
            wavfile.write(tmp_path / "wav" / label / f"{number}.wav", rate, np.arange(40, dtype=np.int16))
    wavfile.write(tmp_path / "wav" / "up" / "3.wav", 4000, np.arange(40, dtype=np.int16))
    recipe(tmp_path, "wav", {})
    refused(spinhw, tmp_path, "wav: up/3.wav", "another sampling rate", "seen: 4000 Hz", "allowed: 8000 Hz", "resample")
    (tmp_path / "wav" / "up" / "3.wav").write_bytes(b"RIFF")
    refused(spinhw, tmp_path, "wav: up/3.wav", "no WAV file")
    (tmp_path / "wav" / "up" / "3.wav").rename(tmp_path / "wav" / "3.wav")
    refused(spinhw, tmp_path, "3.wav", "lies in no folder")
    csv(tmp_path, ["up/0.wav,1"], "file,label", "l.csv")
    recipe(tmp_path, "wav", {"labels": "l.csv"})
    refused(spinhw, tmp_path, "l.csv: the file 3.wav has no label")


def test_values_that_the_device_cannot_play(spinhw, tmp_path):
    csv(tmp_path)
    recipe(tmp_path, "a.csv", TASK | {"scaling": {"kind": "range", "lowest": -20, "highest": 20}})
    refused(
        spinhw,
        tmp_path,
        "task.scaling: beyond what the device",
        "inputs lie within -8 to 8",
        options=["--device", "imperfect-chip"],
    )


def test_networks_that_do_not_fit_the_data(spinhw, tmp_path):
    csv(tmp_path)
    recipe(tmp_path, "a.csv", network={"layers": [2], "inputs": 3})
    refused(spinhw, tmp_path, "network.inputs is 3, but the task series has 2")
    recipe(tmp_path, "a.csv", network={"layers": [2], "readout_samples": 5})
    refused(spinhw, tmp_path, "network.readout_samples is 5, but a sequence has 4 samples")
