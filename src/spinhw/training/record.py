"""The recording of a run: every batch that its device measures, in the run folder."""

import hashlib

from spinhw import __version__
from spinhw.device import Recorder
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings


def recorder_of(settings: RunSettings, folder: RunFolder) -> Recorder | None:
    """Make the recorder of a run; None where nothing is recorded.

    Give it to the device (`record_with`) before the device's state is restored from a checkpoint.
    """
    if settings.records == "none":
        return None
    network = hashlib.sha256(settings.network.model_dump_json(by_alias=True).encode()).hexdigest()
    facts = {"spinhw": __version__, "run": folder.path.name, "network_sha256": network}
    return Recorder(folder.recording, settings.records == "all", facts)
