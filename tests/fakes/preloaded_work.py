"""What a server of processes imports besides, where whole commands are killed again and again.

Imported by name, in `test_kills`: it takes seconds, which no other test should wait for.
"""

import gc

import distributed  # noqa: F401
import h5netcdf  # noqa: F401
import joblib  # noqa: F401
import matplotlib.figure  # noqa: F401
import optuna
import pytest  # noqa: F401
import sklearn.datasets  # noqa: F401
import torch._dynamo  # noqa: F401

import spinhw.calibration.synapses.run
import spinhw.calibration.whole
import spinhw.cli.calibration
import spinhw.cli.oscillators
import spinhw.cli.studies
import spinhw.cli.synapses
import spinhw.cli.tuning
import spinhw.device.simulated_opening
import spinhw.plots.calibration
import spinhw.plots.overview
import spinhw.plots.search
import spinhw.plots.synapses
import spinhw.report.progress
import spinhw.report.study
import spinhw.report.tables
import spinhw.rollout.cpu.adapter
import spinhw.studies.catalogue
import spinhw.studies.run
import spinhw.tasks.digits
import spinhw.tuning.search  # noqa: F401

# Optuna imports its database when one is opened.
optuna.logging.set_verbosity(optuna.logging.ERROR)
optuna.create_study(storage="sqlite://")
gc.collect()
gc.freeze()  # Pages that nobody writes to stay shared.
