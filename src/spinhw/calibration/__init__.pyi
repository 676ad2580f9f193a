from .analysis import CalibrationAnalysis, analyse
from .chains import ChainPlanSettings, calibrate_chains
from .drift import BankWatch, DriftChart, DriftVerdict, InspectionSettings
from .fitting import Fit, fit
from .measure import device_time_s, rest_of, segments_of
from .plans import load_plan, plan_for, plan_names, plan_schema, record_path
from .run import calibrate_bank, nominal_oscillators, traces_folder, within_limits
from .settings import PlanSettings
from .synapses import SynapsePlanSettings, calibrate_synapses
from .traces import Taken, load_taken
from .whole import calibrate, needs_network

__all__ = [
    "BankWatch",
    "CalibrationAnalysis",
    "ChainPlanSettings",
    "DriftChart",
    "DriftVerdict",
    "Fit",
    "InspectionSettings",
    "PlanSettings",
    "SynapsePlanSettings",
    "Taken",
    "analyse",
    "calibrate",
    "calibrate_bank",
    "calibrate_chains",
    "calibrate_synapses",
    "device_time_s",
    "fit",
    "load_plan",
    "load_taken",
    "needs_network",
    "nominal_oscillators",
    "plan_for",
    "plan_names",
    "plan_schema",
    "record_path",
    "rest_of",
    "segments_of",
    "traces_folder",
    "within_limits",
]
