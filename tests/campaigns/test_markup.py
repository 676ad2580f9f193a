"""Names, notes and replies that look like orders to a terminal or a page are text: shown, never obeyed."""

import logging
import shutil

import pytest

from fakes.visa import CHIP_INSTRUMENTS, CHIP_WIRING, bench_file
from spinhw.cli.bench import show_bench
from spinhw.cli.terminal import make_console, plain_console
from spinhw.config import build, shipped
from spinhw.device import VisaSettings
from spinhw.errors import ConfigError, DeviceError, visible
from spinhw.flipflop import save_network
from spinhw.network.recurrent import RecurrentNetwork
from spinhw.network.recurrent_settings import RecurrentSettings

NASTY = ["[bold]", "[/]", "[/red] [link=http://x]", "\x1b[31m", "a\nb\r\tc", "\x07\x9b2J", "‮gnp", "<script>alert(1)"]


def shown(text: str) -> str:
    return " ".join(visible(" ".join(text.split())).split())


@pytest.mark.parametrize("text", NASTY)
def test_an_error_is_one_line_without_orders(text):
    for line in (str(ConfigError(f"{text}: odd", seen=text, todo=text)), str(ConfigError("odd", seen=repr(text)))):
        assert line.isprintable()
    assert shown(text) in str(ConfigError(f"{text}: odd"))


@pytest.mark.parametrize("make", [make_console, plain_console])
def test_what_is_printed_and_logged_steers_no_terminal(make, capsys, mocker):
    root = logging.getLogger()
    mocker.patch.object(root, "handlers", [])
    console = make()
    for text in NASTY:
        console.print(f"name {text}", markup=False)
        logging.getLogger("spinhw").warning("%s: said", text)
    printed = "".join(capsys.readouterr())
    assert "[/red] [link=http://x]" in printed and r"\x1b[31m" in printed and r"\u202egnp" in printed
    assert all(one.isprintable() for one in printed.replace("\n", ""))


def test_letters_of_every_language_stay_as_they_are():
    for text in ("µ Ω é 日本 😀", "a b\xa0c", "‰ ± ²"):
        assert visible(text) == text


def test_who_answers_on_a_bench_is_shown_as_it_is(capsys, monkeypatch, mocker):
    monkeypatch.setenv("COLUMNS", "200")
    names = {name: f"TCPIP0::{name}::5025::SOCKET" for name in CHIP_INSTRUMENTS}
    settings = build(VisaSettings, bench_file(CHIP_INSTRUMENTS, CHIP_WIRING, names, "@py"), "bench.yaml")
    mocker.patch("spinhw.instruments.station.Station.outputs", side_effect=DeviceError("enough"))
    for text in ("[bold]", "[/]", "\x1b[31m", "\x07\x9b2J", "<script>alert(1)"):
        mocker.patch("spinhw.instruments.link.Link.open", return_value=text)
        with pytest.raises(DeviceError, match="enough"):
            show_bench(plain_console(), settings)
        printed = capsys.readouterr().out
        assert printed.count(visible(text)) == len(CHIP_INSTRUMENTS)
        assert all(one.isprintable() for one in printed.replace("\n", ""))


def test_a_folder_with_markup_in_its_name_is_named(spinhw, tmp_path):
    for name in ("[bold]", "[red]x[blue]", "a\x1b[31mb", "a\nb"):
        folder = tmp_path / name
        outcome = spinhw("energy", folder)
        assert outcome.code == 2 and visible(name.replace("\n", " ")) in outcome.err
        folder.mkdir()
        shutil.copy(shipped("examples") / "digits.yaml", folder / "config.yaml")
        assert spinhw("evaluate", folder).code == 2
        assert spinhw("energy", folder).code == 0


@pytest.mark.campaign
def test_the_page_of_an_analysis_holds_names_as_text(spinhw, tmp_path):
    settings = RecurrentSettings(inputs=1, outputs=1, units=4)
    network = RecurrentNetwork(settings)
    name = "<img src=x onerror=alert(1)>&\"'@SCENES@ [bold][x]"
    save_network(tmp_path / f"{name}.safetensors", network)
    arguments = ("--out", tmp_path / "out", "--trials", "2")
    outcome = spinhw("flipflop", "analyse", tmp_path / f"{name}.safetensors", *arguments)
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page and "&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#x27;@SCENES@ [bold][x]" in page
    assert "[bold][x]" in " ".join(outcome.out.split())
