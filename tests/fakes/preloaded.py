"""What a server of processes has done before it forks them: imported all that they need, torch above all.

Imported by name, in `fakes.processes`; seeds and kernels are as in the process of the test.
"""

import seed_shift  # noqa: F401
from kernel_cache import share_with_workers

share_with_workers()

import pyvisa_py  # noqa: E402, F401
import torch  # noqa: E402

import fakes.proof.exits  # noqa: E402, F401
import spinhw.cli.bench  # noqa: E402
import spinhw.cli.off  # noqa: E402
import spinhw.cli.training  # noqa: E402
import spinhw.instruments.station  # noqa: E402
import spinhw.plots.run  # noqa: E402
import spinhw.report.budget  # noqa: E402
import spinhw.training.run  # noqa: E402
import spinhw.virtual  # noqa: E402, F401
from spinhw.units import registry  # noqa: E402

torch.set_num_threads(1)
registry()
