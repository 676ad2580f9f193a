"""A look at the device before a long training without it: who does not answer is missed now, not hours later."""

import logging

from spinhw.device.contract import check_description
from spinhw.errors import DeviceError
from spinhw.training.deploy import device_for
from spinhw.training.settings import RunSettings

_log = logging.getLogger(__name__)

# Times that a device is asked for; one that failed once may be there, one at a wrong address is not.
_TRIES = 3


def reach_device(settings: RunSettings, epoch: int = 0) -> None:
    """Connect to the device of a run, look at what it says of itself, and let it go, safe; plays and programs nothing.

    Does nothing where there is no training without the device before the device is needed.

    Args:
        settings: The run.
        epoch: Epochs that are done.

    Raises:
        DeviceError: Nothing answers, or not what is wanted.
    """
    profile = settings.device
    if profile is None or epoch >= settings.training.loop_start:
        return
    for left in reversed(range(_TRIES)):
        try:
            with device_for(settings, profile) as device:
                check_description(device)
            return
        except DeviceError as error:
            if not left:
                raise DeviceError(
                    "the device that the run will need does not answer",
                    seen=error,
                    todo="see to it, then start again; nothing was trained",
                ) from error
            _log.warning("the device did not answer, it is asked again: %s", error)
