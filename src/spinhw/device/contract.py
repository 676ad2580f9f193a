"""What every device and bank must keep, whatever is behind it: used by the tests and by `spinhw check`.

A contract checks every promise on a session of its own and gives a verdict for each; it never stops at the first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from spinhw.device import bank_promises as banks
from spinhw.device import network_promises as network
from spinhw.device import promises
from spinhw.device.banks import OscillatorBank, SynapseBank
from spinhw.device.base import Device
from spinhw.device.session import Session
from spinhw.errors import DeviceError, SpinhwError

SessionT = TypeVar("SessionT", bound=Session)


@dataclass(frozen=True)
class Verdict:
    """Whether a promise was kept.

    Args:
        name: The promise.
        passed: Whether it was kept.
        detail: What was seen.
    """

    name: str
    passed: bool
    detail: str


def check_device(make: Callable[[], Device]) -> list[Verdict]:
    """Check the contract of a whole-network device.

    Args:
        make: Makes the device, not open; called once for each promise, so that nothing carries over.
    """
    return _judge(
        make,
        {
            "describes itself": network.describes_network,
            "reads back what was programmed": network.reads_back,
            "refuses wrong names and shapes": network.refuses_wrong_parameters,
            "refuses to run unprogrammed": network.refuses_unprogrammed,
            "gives a complete trace": network.gives_trace,
            "observes only what is planned": network.observes_part,
            "averages over shots": network.averages,
            "refuses inputs beyond the limit": network.refuses_inputs,
            "refuses parameters beyond the limit": network.refuses_parameters,
            "repeats its shots from a saved state": network.replays,
            "is safe after an error": promises.safe_after_error,
        },
    )


def check_description(device: Device) -> str:
    """Check what an open device says of itself, which sends nothing; return what was seen.

    Raises:
        DeviceError: It makes no sense.
    """
    try:
        return network.describes_network(device)
    except promises.BrokenPromise as error:
        raise DeviceError(f"{device.name}: describes itself wrongly", seen=error, todo="see `spinhw check`") from error


def check_bank(make: Callable[[], OscillatorBank]) -> list[Verdict]:
    """Check the contract of an oscillator bank, as `check_device` does."""
    return _judge(
        make,
        {
            "describes itself": promises.describes,
            "plays drives": banks.plays,
            "observes only what is planned": banks.plays_part,
            "refuses drives beyond the limit": banks.refuses_drives,
            "repeats its shots from a saved state": banks.bank_replays,
            "is safe after an error": promises.safe_after_error,
        },
    )


def check_synapses(make: Callable[[], SynapseBank]) -> list[Verdict]:
    """Check the contract of a synapse bank, as `check_device` does."""
    return _judge(
        make,
        {
            "describes itself": banks.describes_synapses,
            "measures a voltage at each point": banks.measures,
            "refuses tunings beyond the limit": banks.refuses_tunings,
            "repeats its readings from a saved state": banks.synapses_replay,
            "is safe after an error": promises.safe_after_error,
        },
    )


def _judge(make: Callable[[], SessionT], tests: Mapping[str, Callable[[SessionT], str]]) -> list[Verdict]:
    verdicts = []
    for name, promise in tests.items():
        try:
            with make() as session:
                detail = promise(session)
            verdicts.append(Verdict(name, True, detail))
        except (promises.BrokenPromise, SpinhwError, ValueError) as error:
            verdicts.append(Verdict(name, False, str(error)))
    return verdicts
