"""Promises that every session keeps, and what checks of promises share."""

from collections.abc import Callable
from typing import Any

import torch

from spinhw.conversion import Scaling
from spinhw.device.banks import OscillatorBank
from spinhw.device.base import Device
from spinhw.device.description import Description
from spinhw.device.session import Session
from spinhw.device.trace import SIGNALS, Quality, Signal, Trace

BATCH, TIMES = 2, 4  # Size of the batches that are played.


class BrokenPromise(Exception):  # noqa: N818 - it is a finding, not a failure of this program
    """A device does not keep the contract; the message says what was seen."""


def expect(kept: bool, otherwise: str) -> None:
    """Break the promise unless it is kept."""
    if not kept:
        raise BrokenPromise(otherwise)


def refused(work: Callable[[], Any], kind: type[Exception], what: str) -> str:
    """Check that work raises an error of a kind, and give its message."""
    try:
        work()
    except kind as error:
        return str(error)
    raise BrokenPromise(f"{what} was accepted; a {kind.__name__} was expected")


def check_signal(name: str, signal: Signal | None, shape: tuple[int, ...]) -> None:
    """Check shape, qualities and good samples of a signal."""
    if signal is None:
        raise BrokenPromise(f"the trace has no {name}")
    expect(tuple(signal.values.shape) == shape, f"{name} has shape {tuple(signal.values.shape)}, not {shape}")
    codes = {int(code) for code in signal.quality.unique()}
    expect(codes <= set(Quality), f"{name} has unknown qualities {codes}")
    expect(bool(torch.isfinite(signal.values[signal.good]).all()), f"{name} has good samples that are not finite")


def check_trace(trace: Trace, about: Description) -> None:
    """Check every signal that a device claims to give."""
    axes = (about.members, BATCH)
    shapes = {
        "power": (*axes, TIMES, about.neurons),
        "power0": (*axes, about.neurons),
        "filtered": (*axes, TIMES, about.neurons),
        "outputs": (*axes, len(about.answer.times(torch.arange(TIMES))), about.outputs),
        "drive_applied": (*axes, TIMES, about.neurons),
    }
    for name in sorted(about.observables):
        check_signal(name, trace.signals().get(name), shapes[name])
    expect(trace.device_ids == about.device_ids, f"the trace comes from {trace.device_ids}, not {about.device_ids}")
    expect(trace.seed == about.seed, f"the trace has the seed {trace.seed}, not {about.seed}")
    expect(trace.started_unix_s > 0 and trace.duration_s >= 0, "the trace has no time")


def beyond_limit(about: Description, kind: str, line: Scaling) -> float | None:
    """Return a model value beyond the limit of a kind of channel; None where there is no limit."""
    limit = about.limits.get(kind)
    return None if limit is None else float(line.to_model(limit.highest + 0.5 * (limit.highest - limit.lowest)))


def same_again(session: Session, work: Callable[[], Trace]) -> str:
    """Do work twice from the same state and compare every bit."""
    work()
    state = session.state()
    first = work()
    session.restore(state)
    second = work()
    expect(first.shots == second.shots, f"shots {first.shots} became {second.shots}")
    for name, signal in first.signals().items():
        same = torch.equal(signal.values.nan_to_num(), second.signals()[name].values.nan_to_num())
        expect(same, f"{name} is not the same to the bit after restore")
    return f"shots {first.shots}, to the bit"


def describes(session: OscillatorBank | Device) -> str:
    """Look at a description."""
    about = session.describe()
    expect(len(set(about.device_ids)) == about.members >= 1, f"device ids are not unique: {about.device_ids}")
    expect(about.neurons >= 1 and about.sample_interval_s > 0, f"sizes or periods are not positive: {about}")
    expect(about.readout_interval_s > 0, "there is no read-out interval")
    expect(about.observables <= set(SIGNALS), f"unknown observables: {sorted(about.observables)}")
    return f"{about.kind} {about.name}, {about.neurons} oscillators, {', '.join(sorted(about.observables))}"


class _Deliberate(Exception):  # noqa: N818 - not an error of anything
    """Thrown by the contract to leave a session by an exception."""


def safe_after_error(session: Session) -> str:
    """Leave a session by an exception."""
    try:
        with session:
            raise _Deliberate
    except _Deliberate:
        pass
    expect(not session.unconfirmed, f"not confirmed off: {', '.join(session.unconfirmed)}")
    return "every output confirmed off"
