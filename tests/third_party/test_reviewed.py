"""Every parameter that other people's drivers can set is set, compared or marked harmless in the shipped profiles."""

import importlib
import inspect
import re
from collections.abc import Iterator

import pytest
import pyvisa

from spinhw.config import build, shipped
from spinhw.instruments.known import Reviewed
from spinhw.instruments.profile import find_instrument_profile, instrument_profile_names, load_profile
from spinhw.virtual import Bench, BenchSettings
from spinhw.virtual.backend import VirtualLibrary
from spinhw.virtual.instruments import MODELS, Panel

pytestmark = pytest.mark.filterwarnings("ignore")  # Theirs, not ours.

PACKAGES = ("pymeasure", "qcodes", "qcodes_contrib_drivers")


def reviews() -> Iterator[tuple[str, Reviewed]]:
    """List the drivers that shipped profiles name, each with its profile."""
    assert shipped("devices").is_dir()
    for name in instrument_profile_names():
        path = find_instrument_profile(name)
        for one in load_profile(path).reviewed if path else ():
            if one.driver.split(".")[0] in PACKAGES:
                yield name, one


REVIEWS = [pytest.param(*one, id=f"{one[0]}-{one[1].driver.rpartition('.')[2]}") for one in reviews()]


def of_pymeasure(kind: type) -> Iterator[tuple[set[str], bool]]:
    """Give the names under which each property of a class may be reviewed, and whether it can be set."""
    from pymeasure.instruments import Instrument

    for name, member in inspect.getmembers(kind):
        if isinstance(member, property):
            yield {name}, can_be_set(member)
        elif isinstance(member, Instrument.BaseChannelCreator):
            for channel in {one for one, _ in member.pairs}:
                for names, settable in of_pymeasure(channel):
                    yield {f"{owner}.{one}" for owner in owners(name, channel) for one in names}, settable


def can_be_set(member: property) -> bool:
    """Tell whether a property has a setter that does something: their measurements have one that only refuses."""
    if member.fset is None:
        return False
    command = inspect.signature(member.fset).parameters.get("set_command")
    return command is None or command.default is not None


def of_qcodes(module, path: str = "", seen: frozenset[int] = frozenset()) -> Iterator[tuple[set[str], bool]]:
    """Give the names under which each parameter of an instrument may be reviewed, and whether it can be set."""
    for name, parameter in module.parameters.items():
        names = {f"{owner}.{name}" for owner in owners(path, type(module))} if path else {name}
        yield names, parameter.settable
    for name, inner in module.submodules.items():
        members = [inner] if hasattr(inner, "parameters") else list(inner)  # A list of channels, which are alike.
        for member in members[:1]:
            if id(member) not in seen:
                yield from of_qcodes(member, f"{path}.{name}".strip("."), seen | {id(member)})


def owners(path: str, kind: type) -> set[str]:
    """List what the part of an instrument may be called: where it is, with its number or without; what it is."""
    plain = re.sub(r"_?\d+\b", "", path)
    return {path, plain, path.rpartition(".")[2], plain.rpartition(".")[2], kind.__name__, "channel"}


class StandIn(Panel):
    """Says that it is a model of a profile, and nothing to whatever else it is asked but 0."""

    def execute(self, message, reply):
        for question in re.findall(rb"[^;]+\?", message):
            reply((self.serial if b"*IDN" in question.upper() else "0").encode() + b"\n")


@pytest.fixture
def resource(monkeypatch):
    """Open a virtual instrument of a profile; where there is none, one that answers to a model's name."""
    opened = []

    def open_resource(name: str, model: str):
        if name not in MODELS:
            monkeypatch.setitem(MODELS, name, StandIn)
        profile = load_profile(find_instrument_profile(name))
        identity = f"{profile.maker},{model},1,1"
        instruments = {"it": {"model": name, "address": "GPIB0::1::INSTR", "serial": None}}
        if MODELS[name] is StandIn:
            instruments["it"]["serial"] = identity
        data = {"network": {"layers": [1]}, "instruments": instruments | {"awg": {"model": "keysight-33500"}}}
        made = Bench(build(BenchSettings, data | {"wiring": {"kind": "oscillators", "drives": ["awg:1"]}}, "test"))
        library = VirtualLibrary.of(made)
        opened.append(pyvisa.ResourceManager(library))
        return opened[-1].open_resource("GPIB0::1::INSTR", timeout=500)

    yield open_resource
    for one in opened:
        one.close()


def known_by(driver: str, profile: str, resource) -> list[tuple[set[str], bool]]:
    """List what a driver knows, skipping the test where its package is not there."""
    package = driver.split(".")[0]
    pytest.importorskip(package, reason=f"{package} is not installed: make thirdparty")
    module, _, name = driver.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    if package == "pymeasure":
        return list(of_pymeasure(kind))
    from qcodes.instrument import VisaInstrument

    models = load_profile(find_instrument_profile(profile)).models
    model = next((one for one in models if one.lower() in name.lower()), models[0])
    made = kind("reviewed", None, resource=resource(profile, model))
    try:
        common = VisaInstrument("bare", None, resource=resource(profile, model))
        shared = set(common.parameters)
        common.close()
        return [(names, settable and not names & shared) for names, settable in of_qcodes(made)]
    finally:
        made.close()


@pytest.mark.parametrize(("profile", "review"), REVIEWS)
def test_every_settable_parameter_is_reviewed(profile, review, resource):
    known = known_by(review.driver, profile, resource)
    reviewed = {*review.set, *review.compared, *review.harmless}
    missing = sorted(min(names, key=len) for names, settable in known if settable and not names & reviewed)
    gone = sorted(reviewed - {name for names, _ in known for name in names})
    assert not missing, f"{profile}: {review.driver}: not set, compared or harmless: {', '.join(missing)}"
    assert not gone, f"{profile}: {review.driver}: reviewed, but the driver has no such name: {', '.join(gone)}"
