"""The picture of each study."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spinhw.plots.sweep import (
    DrivePoints,
    PowerPanel,
    SeedColumn,
    SweepCurve,
    SweepPanel,
    plot_drive,
    plot_seeds,
    plot_sweep,
    plot_waveforms,
)
from spinhw.studies.claims import FAST, PAPER_CTRNN, PAPER_CTRNN_STD, PAPER_SPINTRONIC, PAPER_SPINTRONIC_STD, SLOW
from spinhw.studies.measured import MeasuredCurve, scatter
from spinhw.studies.study import Look, Study

_NS = 1e9
_PUBLISHED = {
    "spintronic": (PAPER_SPINTRONIC, PAPER_SPINTRONIC_STD),
    "ctrnn": (PAPER_CTRNN, PAPER_CTRNN_STD),
}


def draw(study: Study, curves: Sequence[MeasuredCurve], path: Path) -> None:
    """Draw a study into a PNG file."""
    last = [each for each in curves if each.curve.look == study.last_look]
    chosen_curves = last if study.name in ("fig1", "fig3c") else curves
    by_protocol = {name: [each for each in chosen_curves if each.curve.protocol == name] for name in study.protocols}
    if study.name in ("headline", "ctrnn"):
        plot_seeds([_column(each) for each in last], path, study.title, last[0].measure)
    elif study.name == "fig1":
        rows = [(f"protocol '{name}'", _layers(found[0])) for name, found in by_protocol.items()]
        plot_waveforms([row for row in rows if row[1]], path)
    elif study.name == "fig3c":
        plot_drive([_drive_points(name, chosen) for name, chosen in by_protocol.items()], path)
    elif study.name == "fig4":
        panels = [_panel(name, chosen, study.last_look, 1.0) for name, chosen in by_protocol.items()]
        plot_sweep(panels, path, "density of the connections", log=False)
    else:
        traced = study.name == "fig2b"
        panels = [_panel(name, chosen, study.last_look, _NS, traced) for name, chosen in by_protocol.items()]
        band = (FAST * _NS, SLOW * _NS) if traced and all(each.curve.of_the_paper for each in curves) else None
        plot_sweep(panels, path, "time between two input points (ns)", log=True, band=band)


def _column(each: MeasuredCurve) -> SeedColumn:
    published = _PUBLISHED[each.curve.kind] if each.curve.of_the_paper else None
    return SeedColumn(f"{each.curve.kind}\n({each.curve.protocol})", each.score[0], published)


def _panel(name: str, curves: Sequence[MeasuredCurve], last: Look, scale: float, traced: bool = False) -> SweepPanel:
    lines = [
        SweepCurve(each.curve.label, scale * each.x, each.score, each.rising, each.curve.look != last)
        for each in curves
    ]
    waveforms = [one for each in curves if each.curve.look == last for one in _waveforms(each)] if traced else []
    return SweepPanel(f"protocol '{name}'", lines, waveforms, curves[0].measure)


def _layers(each: MeasuredCurve) -> list[PowerPanel]:
    trace, interval_s = each.outcomes[0].trace, float(each.x[0])
    if trace is None:
        return []
    labels = np.array(trace.labels)
    return [PowerPanel(f"layer {number}", interval_s, np.array(one), labels) for number, one in enumerate(trace.power)]


def _waveforms(each: MeasuredCurve) -> list[PowerPanel]:
    if each.curve.kind != "spintronic":
        return []
    return [
        PowerPanel(
            f"dt = {_NS * interval_s:g} ns",
            float(interval_s),
            np.array(outcome.trace.power[-1]),
            np.array(outcome.trace.labels),
        )
        for interval_s, outcome, point in zip(each.x, each.outcomes, each.curve.points, strict=True)
        if outcome.trace is not None and point.traced
    ]


def _drive_points(name: str, curves: Sequence[MeasuredCurve]) -> DrivePoints:
    found = scatter(curves)
    return DrivePoints(f"protocol '{name}'", found.drive, found.median, found.remembers, curves[0].measure)
