"""Excites a device, fits the model to what it does, says how sure it is, and notices when the device changes."""

from spinhw.calibration.analysis import CalibrationAnalysis, analyse
from spinhw.calibration.drift import BankWatch, DriftChart, DriftVerdict, InspectionSettings
from spinhw.calibration.fitting import Fit, fit
from spinhw.calibration.measure import device_time_s, rest_of, segments_of
from spinhw.calibration.plans import load_plan, plan_names, plan_schema
from spinhw.calibration.run import calibrate_bank, nominal_oscillators, traces_folder, within_limits
from spinhw.calibration.settings import PlanSettings
from spinhw.calibration.synapses import SynapsePlanSettings, calibrate_synapses
from spinhw.calibration.traces import Taken, load_taken

__all__ = [
    "CalibrationAnalysis",
    "DriftChart",
    "InspectionSettings",
    "DriftVerdict",
    "BankWatch",
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
