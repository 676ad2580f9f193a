"""The same sequences come out of every form of file, and labels keep their type."""

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.io import wavfile

from spinhw.errors import ConfigError
from spinhw.tasks import SeriesSettings, series_of, series_of_dataset
from spinhw.tasks.series import read_series

# Three sequences of two channels, of 4, 3 and 5 samples, and two classes.
LENGTHS = (4, 3, 5)
SEQUENCES = [np.arange(2 * n, dtype=np.float32).reshape(n, 2) / 8 + 10 * place for place, n in enumerate(LENGTHS)]
LABELS = ["up", "down", "up"]


def same(series, sequences=SEQUENCES, labels=LABELS):
    assert series.lengths.tolist() == [len(one) for one in sequences]
    np.testing.assert_allclose(series.samples, np.concatenate(sequences), rtol=1e-6)
    assert [series.outputs[number] for number in series.targets] == labels
    return True


def csv_of(path, rows, names=("who", "t", "x", "y", "label")):
    path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n", encoding="utf-8")
    return path


def rows_of(sequences=SEQUENCES):
    return [
        (f"s{number}", step / 10, *sample, LABELS[number])
        for number, one in enumerate(sequences)
        for step, sample in enumerate(one)
    ]


def settings(**keys):
    return SeriesSettings(**keys)


TABLE = {"columns": {"inputs": ["x", "y"], "target": "label", "sequence": "who", "time": "t"}}


def test_a_csv_with_a_row_for_each_sample(tmp_path):
    found = read_series(csv_of(tmp_path / "a.csv", rows_of()), settings(**TABLE))
    assert same(found)
    assert found.channels == ("x", "y")
    assert found.spacing == pytest.approx(0.1)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_mark_of_order(tmp_path, delimiter):
    path = csv_of(tmp_path / "a.csv", rows_of())
    path.write_text("\ufeff" + path.read_text("utf-8").replace(",", delimiter), encoding="utf-8")
    assert same(read_series(path, settings(**TABLE)))


def test_a_csv_with_a_row_for_each_sequence_ends_where_cells_are_empty(tmp_path):
    rows = [["up", 1, 2, 3], ["down", 4, 5, ""]]
    path = csv_of(tmp_path / "a.csv", rows, ("label", "s0", "s1", "s2"))
    found = read_series(path, settings(layout="sequences", columns={"target": "label"}))
    assert same(found, [np.array([[1], [2], [3]]), np.array([[4], [5]])], ["up", "down"])


def test_a_csv_with_a_row_for_each_channel_of_a_sequence(tmp_path):
    rows = [
        (f"s{n}", sensor, LABELS[n], *one[:, channel], *[""] * (5 - len(one)))
        for n, one in enumerate(SEQUENCES)
        for sensor, channel in ((("y", 1), ("x", 0)) if n == 1 else (("x", 0), ("y", 1)))  # In any order.
    ]
    path = csv_of(tmp_path / "a.csv", rows, ("who", "sensor", "label", *"abcde"))
    columns = {"sequence": "who", "channel": "sensor", "target": "label"}
    found = read_series(path, settings(layout="sequences", columns=columns))
    assert same(found)
    assert found.channels == ("x", "y")
    assert found.whole(2) == "a.csv: line 6"
    values = settings(layout="sequences", answers="values", columns=columns | {"inputs": list("abc"), "target": "a"})
    with pytest.raises(ConfigError, match=r"a\.csv: line 3, column a: this changes within a sequence"):
        read_series(path, values)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("s0", "x", "up", 1, 2), ("s0", "y", "up", 1, "")], "line 2: the channels of this sequence are not equally"),
        (
            [("s0", "x", "up", 1, 2), ("s0", "y", "up", 1, 2), ("s1", "x", "up", 1, 2)],
            "line 4, .*seen: x; allowed: x, y",
        ),
        ([("s0", "x", "up", 1, 2), ("s0", "x", "up", 1, 2)], "line 2, column sensor: .*seen: x, x; allowed: x, each"),
        ([("s0", "x", "up", 1, 2), ("s0", "y", "down", 1, 2)], "line 3, column label: this changes within a sequence"),
    ],
)
def test_rows_that_are_no_channels_of_a_sequence(tmp_path, rows, words):
    path = csv_of(tmp_path / "a.csv", rows, ("who", "sensor", "label", "a", "b"))
    columns = {"sequence": "who", "channel": "sensor", "target": "label"}
    with pytest.raises(ConfigError, match=words):
        read_series(path, settings(layout="sequences", columns=columns))
    with pytest.raises(
        ConfigError, match=r"columns\.channel says which channel .* layout: sequences, and columns\.sequence"
    ):
        settings(columns=columns)


def test_npz_filled_up_with_lengths_or_one_behind_the_other(tmp_path):
    padded = np.zeros((3, 5, 2), np.float32)
    for place, one in enumerate(SEQUENCES):
        padded[place, : len(one)] = one
    np.savez(tmp_path / "a.npz", inputs=padded, targets=LABELS, lengths=LENGTHS)
    assert same(read_series(tmp_path / "a.npz", settings()))
    who = np.repeat([7, 8, 9], LENGTHS)
    np.savez(tmp_path / "b.npz", x=np.concatenate(SEQUENCES), label=np.repeat(LABELS, LENGTHS), who=who)
    asked = settings(columns={"inputs": "x", "target": "label", "sequence": "who"})
    assert same(read_series(tmp_path / "b.npz", asked))


def test_netcdf_by_variables(tmp_path):
    values = np.stack([SEQUENCES[0], SEQUENCES[0] + 1])
    data = xr.Dataset(
        {"u": (("n", "time", "channel"), values), "label": ("n", ["a", "b"])}, {"time": [0.0, 0.5, 1.0, 1.5]}
    )
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    found = read_series(tmp_path / "a.nc", settings(columns={"inputs": "u", "target": "label", "time": "time"}))
    assert same(found, list(values), ["a", "b"])
    assert found.spacing == 0.5


def test_parquet_by_rows_and_by_channels_that_are_lists(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = list(zip(*rows_of(), strict=True))
    table = arrow.table(dict(zip(("who", "t", "x", "y", "label"), rows, strict=True)))
    parquet.write_table(table, tmp_path / "a.parquet")
    assert same(read_series(tmp_path / "a.parquet", settings(**TABLE)))
    lists = {"x": [one[:, 0] for one in SEQUENCES], "y": [one[:, 1] for one in SEQUENCES], "label": LABELS}
    parquet.write_table(arrow.table(lists), tmp_path / "b.parquet")
    assert same(read_series(tmp_path / "b.parquet", settings(layout="sequences", columns={"target": "label"})))


def test_parquet_says_which_package_it_needs(tmp_path, mocker):
    mocker.patch.dict("sys.modules", {"pyarrow": None})
    (tmp_path / "a.parquet").touch()
    with pytest.raises(ConfigError, match=r"pyarrow is not installed; next: pip install \"spinhw\[parquet\]\""):
        read_series(tmp_path / "a.parquet", settings(**TABLE))


TS = """# A comment.
@problemName Made up
@timeStamps false
@univariate false
@dimensions 2
@equalLength {equal}
{length}@classLabel true up down
@data
"""


def ts_of(path, equal="false", length="", sequences=SEQUENCES, header=TS):
    lines = [
        ":".join([*(",".join(map(str, channel)) for channel in one.T), LABELS[n]]) for n, one in enumerate(sequences)
    ]
    path.write_text(header.format(equal=equal, length=length) + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_ts_of_unequal_and_of_equal_lengths(tmp_path):
    assert same(read_series(ts_of(tmp_path / "a.ts"), settings()))
    equal = [one[:3] for one in SEQUENCES]
    assert same(read_series(ts_of(tmp_path / "b.ts", "true", "@seriesLength 3\n", equal), settings()), equal)


def test_ts_with_values(tmp_path):
    header = "@problemName p\n@univariate true\n@targetLabel true\n@data\n"
    (tmp_path / "a.ts").write_text(header + "1,2,3:0.5\n4,5:1.5\n", encoding="utf-8")
    found = read_series(tmp_path / "a.ts", settings(answers="values"))
    assert found.targets.tolist() == [[0.5], [1.5]]
    assert found.lengths.tolist() == [3, 2]


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint8, np.float32])
def test_a_folder_of_wav_for_each_class(tmp_path, kind):
    whole = np.linspace(-0.5, 0.5, 9)
    stored = {"u": (whole * 128 + 128).round(), "i": (whole * -float(np.iinfo(kind).min) if kind != np.float32 else 0)}
    for label in ("up", "down"):
        (tmp_path / label).mkdir()
        values = whole if kind == np.float32 else stored[np.dtype(kind).kind]
        wavfile.write(tmp_path / label / "1.wav", 8000, np.asarray(values).astype(kind))
    found = read_series(tmp_path, settings())
    assert found.outputs == ("down", "up")
    assert found.spacing == pytest.approx(1 / 8000)
    np.testing.assert_allclose(found.samples[:9, 0], whole, atol=1 / 100 if kind == np.uint8 else 1e-4)


def test_wav_with_a_table_of_labels_and_groups(tmp_path):
    (tmp_path / "wav").mkdir()
    for name in ("a", "b"):
        wavfile.write(tmp_path / "wav" / f"{name}.wav", 100, np.zeros(5, np.int16))
    table = csv_of(tmp_path / "l.csv", [["b.wav", 2, "eve"], ["a.wav", 1, "ann"]], ("file", "label", "who"))
    found = read_series(tmp_path / "wav", settings(labels=str(table), columns={"group": "who"}))
    assert found.outputs == (1, 2)
    assert found.targets.tolist() == [0, 1]
    assert found.groups.tolist() == ["ann", "eve"]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([10, 9, 10], (9, 10)),
        ([0.5, -1.0, 0.5], (-1.0, 0.5)),
        ([True, False, True], (False, True)),
        (["a", 1, "a"], (1, "a")),
        (np.array(["b", "a", "b"], object), ("a", "b")),
        (torch.tensor([3, 1, 3]), (1, 3)),
    ],
)
def test_labels_of_any_type(labels, classes):
    found = series_of(SEQUENCES, labels)
    assert found.outputs == classes
    assert [type(one) for one in found.outputs] == [type(one) for one in classes]
    assert found.targets.tolist() == [1, 0, 1] if classes != (1, "a") else [1, 0, 1]


@pytest.mark.parametrize(
    ("texts", "classes"),
    [
        (["10", "9"], (9, 10)),
        (["0.5", "1"], (0.5, 1.0)),
        (["TRUE", "false"], (False, True)),
        (["x1", "9"], ("9", "x1")),
    ],
)
def test_labels_of_a_csv_are_what_all_of_them_are(tmp_path, texts, classes):
    rows = [[text, 1, 2] for text in texts]
    path = csv_of(tmp_path / "a.csv", rows, ("label", "s0", "s1"))
    assert read_series(path, settings(layout="sequences", columns={"target": "label"})).outputs == classes


def test_values_and_labels_for_each_sample():
    values = [one[:, :1] * 2 for one in SEQUENCES]
    found = series_of(SEQUENCES, values, answers="values_per_step", names=["twice"])
    np.testing.assert_array_equal(found.targets, 2 * found.samples[:, :1])
    labelled = series_of(SEQUENCES, [one[:, 0] > 5 for one in SEQUENCES])
    assert labelled.answers == "class_per_step"
    assert labelled.outputs == (False, True)


def test_a_dataset_of_torch():
    class Pairs(torch.utils.data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, number):
            return torch.from_numpy(SEQUENCES[number]), LABELS.index(LABELS[number])

    assert same(series_of_dataset(Pairs()), labels=[0, 1, 0])


def test_arrays_of_equal_lengths_are_not_copied():
    inputs = np.zeros((4, 8, 2), np.float32)
    assert np.shares_memory(series_of(inputs, [0, 1, 0, 1]).samples, inputs)


def test_resampling_is_linear_and_takes_the_nearest_class():
    times = np.array([0.0, 1.0, 4.0])
    inputs = np.array([[0.0, 2.0, 8.0], [1.0, 3.0, 9.0]])
    found = series_of(inputs, [[0, 1, 1], [0, 0, 1]], answers="class_per_step", times=times, resample=1.0)
    np.testing.assert_allclose(found.samples[:, 0], [0, 2, 4, 6, 8, 1, 3, 5, 7, 9])
    assert found.targets.tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 1, 1]
    assert found.spacing == 1.0


def test_dates_are_times(tmp_path):
    rows = [[f"2026-01-01T00:00:0{second}", second, "a" if second < 2 else "b"] for second in range(4)]
    path = csv_of(tmp_path / "a.csv", rows, ("when", "x", "label"))
    asked = settings(answers="class_per_step", columns={"target": "label", "time": "when"})
    assert read_series(path, asked).spacing == 1.0
