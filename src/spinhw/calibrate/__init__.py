"""Excites a device, fits the model to what it does, says how sure it is, and notices when the device changes."""

from spinhw.calibrate.analyse import Analysis, analyse
from spinhw.calibrate.drift import DriftChart, DriftSettings, DriftVerdict, DriftWatch
from spinhw.calibrate.fit import Fit, fit
from spinhw.calibrate.measure import device_time_s, rest_of, segments_of
from spinhw.calibrate.plans import load_plan, plan_names, plan_schema
from spinhw.calibrate.run import calibrate_bank, nominal_oscillators, traces_folder, within_limits
from spinhw.calibrate.settings import PlanSettings
from spinhw.calibrate.synapses import SynapsePlanSettings, calibrate_synapses
from spinhw.calibrate.traces import Taken, load_taken

__all__ = [
    "Analysis",
    "DriftChart",
    "DriftSettings",
    "DriftVerdict",
    "DriftWatch",
    "Fit",
    "PlanSettings",
    "SynapsePlanSettings",
    "Taken",
    "analyse",
    "calibrate_bank",
    "calibrate_synapses",
    "device_time_s",
    "fit",
    "load_plan",
    "load_taken",
    "nominal_oscillators",
    "plan_names",
    "plan_schema",
    "rest_of",
    "segments_of",
    "traces_folder",
    "within_limits",
]
