"""Every parameter that other people's drivers can set is set, compared or marked harmless in the shipped profiles."""

import ast
import contextlib
import importlib
import inspect
import re
import textwrap
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

VIRTUAL = dict(MODELS)
PACKAGES = ("pymeasure", "qcodes", "qcodes_contrib_drivers")
# Where what a driver knows depends on options: a stand-in for each set of them, in place of the virtual instrument.
_SMW200A = "SMW-B120,SMW-B206,SMW-B22,SMW-K22,SMW-K24,SMW-K739,SMW-XXX"
OPTIONS = {"rohde-schwarz-smw200a": (_SMW200A, _SMW200A + ",SMW-K23")}


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
    for name, member in inspect.getmembers(kind):
        if isinstance(member, property):
            yield {name}, can_be_set(member)
    for name, part in parts_of_pymeasure(kind):
        for names, settable in of_pymeasure(part):
            yield {f"{owner}.{one}" for owner in owners(name, part) for one in names}, settable


def parts_of_pymeasure(kind: type) -> set[tuple[str, type]]:
    """List the channels of a class, by name: declared, made with it, or made on demand."""
    from pymeasure.adapters import FakeAdapter
    from pymeasure.instruments import Instrument

    declared = inspect.getmembers(kind, lambda one: isinstance(one, Instrument.BaseChannelCreator))
    found = {(name, part) for name, creator in declared for part, _ in creator.pairs}
    nested = inspect.getmembers(kind, lambda one: inspect.isclass(one) and one.__module__ == kind.__module__)
    found |= {(name, part) for name, part in nested if name != "__class__"}
    if not found and issubclass(kind, Instrument):
        made = kind(FakeAdapter())
        found = {(name, type(one)) for name, one in vars(made).items() if type(one).__module__ == kind.__module__}
    return found


def can_be_set(member: property) -> bool:
    """Tell whether a property has a setter that does something: their measurements have one that only refuses."""
    if member.fset is None:
        return False
    command = inspect.signature(member.fset).parameters.get("set_command")
    return command is None or command.default is not None


def of_qcodes(module, path: str = "") -> Iterator[tuple[set[str], bool]]:
    """Give the names under which each parameter of an instrument may be reviewed, and whether it can be set."""
    for name, parameter in module.parameters.items():
        names = {f"{owner}.{name}" for owner in owners(path, type(module))} if path else {name}
        yield names, parameter.settable and reaches_the_instrument(getattr(parameter, "set_raw", None))
    for name, inner in module.submodules.items():
        members = [inner] if hasattr(inner, "parameters") else list(inner)[:1]  # A list of channels, which are alike.
        for member in members:
            yield from of_qcodes(member, f"{path}.{name}".strip("."))


def reaches_the_instrument(setter) -> bool:
    """Tell whether a setter does more than to keep the value in the driver, or to refuse it."""
    if not inspect.ismethod(setter):
        return True
    if setter.__name__ == "_set_manual_parameter":
        return False
    [function] = ast.parse(textwrap.dedent(inspect.getsource(setter))).body
    return not isinstance(function.body[-1], ast.Raise)


def owners(path: str, kind: type) -> set[str]:
    """List what the part of an instrument may be called: where it is, with its number or without; what it is."""
    plain = re.sub(r"_?\d+\b", "", path)
    last = plain.rpartition(".")[2]
    called = {"channel"} if last in {"ch", "channels"} else set()
    return {path, plain, path.rpartition(".")[2], last, kind.__name__, *called}


def stand_in(name: str, options: str) -> type[Panel]:
    """Make an instrument that says which model it is and what it has, and 0 to whatever else it is asked."""
    profile = load_profile(find_instrument_profile(name))
    identity = VIRTUAL[name]("it").identity if name in VIRTUAL else f"{profile.maker},{profile.models[0]},1,1"
    known = {b"*IDN?": identity, b"*OPT?": options}

    class StandIn(Panel):
        def execute(self, message, reply):
            for question in re.findall(rb"[^;?]+\?", message.upper()):
                reply(known.get(question.strip(), "0").encode() + b"\n")

    return StandIn


@pytest.fixture
def resource(mocker):
    """Open a virtual instrument of a profile; where there is none, or with options, one that answers to its name."""
    managers = []

    def open_resource(name: str, options: str = ""):
        if name not in MODELS or options:
            mocker.patch.dict(MODELS, {name: stand_in(name, options or "0")})
        data = {
            "network": {"layers": [1]},
            "instruments": {"it": {"model": name, "address": "GPIB0::1::INSTR"}, "awg": {"model": "keysight-33500"}},
            "wiring": {"kind": "oscillators", "drives": ["awg:1"]},
        }
        managers.append(pyvisa.ResourceManager(VirtualLibrary.of(Bench(build(BenchSettings, data, "test")))))
        return managers[-1].open_resource("GPIB0::1::INSTR", timeout=500)

    yield open_resource
    for one in managers:
        one.close()


def known_by(driver: str, profile: str, resource, mocker) -> list[tuple[set[str], bool]]:
    """List what a driver knows, skipping the test where its package is not there."""
    module, _, name = driver.rpartition(".")
    package = module.split(".")[0]
    pytest.importorskip(package, reason=f"{package} is not installed: make thirdparty")
    kind = getattr(importlib.import_module(module), name)
    if package == "pymeasure":
        return list(of_pymeasure(kind))
    from qcodes.instrument import VisaInstrument

    mocker.patch.object(VisaInstrument, "connect_message", lambda self: None)
    mocker.patch.object(kind, "connect_message", lambda self: None)  # It says who is there, and knows no more.
    common = VisaInstrument("bare", None, resource=resource(profile))
    shared = set(common.parameters)
    common.close()
    known = []
    for options in OPTIONS.get(profile, ("",)):
        made = make(kind, resource(profile, options))
        known += [(names, settable and not names & shared) for names, settable in of_qcodes(made)]
        made.close()
    return known


def make(kind: type, opened):
    """Make an instrument of QCoDeS; of one that fails by a mistake of its own, take all that it had made until then."""
    made = kind.__new__(kind)
    with contextlib.suppress(AttributeError):
        made.__init__("reviewed", None, resource=opened)
    return made


@pytest.mark.parametrize(("profile", "review"), REVIEWS)
def test_every_settable_parameter_is_reviewed(profile, review, resource, mocker):
    known = known_by(review.driver, profile, resource, mocker)
    reviewed = {*review.set, *review.compared, *review.harmless}
    missing = sorted({min(sorted(names), key=len) for names, settable in known if settable and not names & reviewed})
    gone = sorted(reviewed - {name for names, _ in known for name in names})
    assert not missing, f"{profile}: {review.driver}: not set, compared or harmless: {', '.join(missing)}"
    assert not gone, f"{profile}: {review.driver}: reviewed, but the driver has no such name: {', '.join(gone)}"
