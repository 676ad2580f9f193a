"""One HTML page that tells the analysis in pictures; it holds everything it shows and needs no network connection."""

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from spinhw.atomic import write_atomically
from spinhw.flipflop.analysis import COMPARED, Analysis, compare
from spinhw.flipflop.figures import STATE_COLOURS, code_name, cube_edges
from spinhw.plots.canvas import BLUE, GREEN, VERMILION

_MOST_PATH_POINTS = 800


def write_page(analyses: Sequence[Analysis], figures: Mapping[str, Path], path: Path) -> None:
    """Write the page.

    Args:
        analyses: The networks, the one that is shown in full first.
        figures: Pictures by name, as `draw_analysis` gives them.
        path: The file.

    Raises:
        ConfigError: The file cannot be written.
    """
    first = analyses[0]
    title = f"Flip-flop network {first.name}"
    scenes = {"cube": _scene(first), "fixed": _fixed_scene(first)}
    template = files("spinhw.flipflop").joinpath("page.html").read_text(encoding="utf-8")
    parts = {
        "@TITLE@": html.escape(title),
        "@BODY@": _body(analyses, figures, title),
        "@SCENES@": json.dumps(scenes, allow_nan=False).replace("</", "<\\/"),
    }
    # In one pass: a network's name may look like a mark.
    page = re.sub("|".join(parts), lambda mark: parts[mark.group()], template)
    write_atomically(path, page.encode())


def _body(analyses: Sequence[Analysis], figures: Mapping[str, Path], title: str) -> str:
    first = analyses[0]
    right = sum(one.correct for one in first.memories)
    points, hold, score = first.points, first.hold, first.score
    spurious = int(points.spurious().sum())
    sections = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{first.network.settings.units} {first.network.settings.kind} units hold "
        f"{len(first.cube.edges)} bits. On fresh trials the mean squared error is {score.mse:.4f}; "
        f"{100 * score.signs:.2f} % of the outputs have the right sign, {100 * score.settled:.1f} % are settled, and "
        f"{100 * score.final:.1f} % of the trials end with every bit within 1/2.</p>",
        _picture("The task: pulses set and reset bits", figures.get("samples")),
        f"<h2>The memories are the corners of a cube</h2><p>{right} of {len(first.memories)} states are right at the "
        f"end of their hold. In the three strongest directions of the activity (SVD) a parallelepiped explains "
        f"{100 * first.cube.r_squared:.1f} % of where they lie; its edges meet at "
        f"{', '.join(f'{angle:.0f}°' for angle in first.cube.angles_deg.tolist())}. Drag to turn.</p>",
        '<canvas data-scene="cube" aria-label="activity and memories in three dimensions"></canvas>',
        _picture("", figures.get("states")),
        _picture("", figures.get("directions")),
        _picture("Connections and eigenvalues", figures.get("connectivity")),
        f"<h2>All fixed points</h2><p>Without input the search found {len(points.states)} fixed points from "
        f"{points.starts} starts: {int(points.memories().sum())} memories, {spurious} spurious stable "
        f"{'state' if spurious == 1 else 'states'}, {int((~points.stable).sum())} saddles.</p>",
        '<canvas data-scene="fixed" aria-label="fixed points in three dimensions"></canvas>',
        '<p class="legend">'
        + "".join(
            f'<span style="color:{colour}">&#9679; {name}</span>'
            for name, colour in (("memory", GREEN), ("spurious, stable", VERMILION), ("saddle", BLUE))
        )
        + "</p>",
        _picture("", figures.get("fixed_points")),
        f"<h2>How much it bears</h2><p>Held for {hold.steps} steps after the last answer, {100 * hold.held:.1f} % of "
        f"{hold.trials} trials still have every bit within 1/2.</p>",
        _picture("", figures.get("robustness")),
    ]
    if len(analyses) > 1:
        sections += ["<h2>Several realisations</h2>", _table(compare(analyses))]
        sections += [_picture("", figures.get(name)) for name in ("realisations", "eigenvalues", "cubes")]
    return "\n".join(sections)


def _picture(heading: str, path: Path | None) -> str:
    if path is None:
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    shown = f"<h2>{html.escape(heading)}</h2>" if heading else ""
    return f'{shown}<p><img alt="{html.escape(path.stem)}" src="data:image/png;base64,{data}"></p>'


def _table(rows: list[dict[str, Any]]) -> str:
    head = "".join(f"<th>{html.escape(COMPARED.get(name, name))}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_show(one))}</td>" for one in row.values()) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _show(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)


def _scene(analysis: Analysis) -> dict[str, Any]:
    path = analysis.svd.of(analysis.activity)
    cube = analysis.cube

    def corner(code: tuple[int, ...]) -> list[float]:
        found: list[float] = (cube.centre + torch.tensor(code, dtype=torch.float64) @ cube.edges).tolist()
        return _rounded(found)

    return {
        "path": [_rounded(at) for at in path[:: max(1, len(path) // _MOST_PATH_POINTS)].tolist()],
        "edges": [[corner(one), corner(other)] for one, other in cube_edges(len(cube.edges))],
        "points": [
            {
                "at": _rounded(vertex),
                "label": code_name(memory.code),
                "colour": STATE_COLOURS[place % len(STATE_COLOURS)],
                "radius": 6,
            }
            for place, (vertex, memory) in enumerate(
                zip(analysis.vertices(analysis.svd).tolist(), analysis.memories, strict=True)
            )
        ],
    }


def _fixed_scene(analysis: Analysis) -> dict[str, Any]:
    points = analysis.points
    places = analysis.svd.of(points.states[:, : analysis.activity.shape[1]]).tolist()
    memories, stable = points.memories().tolist(), points.stable.tolist()
    found = []
    for place, code, memory, rests in zip(places, points.codes().tolist(), memories, stable, strict=True):
        colour = GREEN if memory else VERMILION if rests else BLUE
        found.append(
            {
                "at": _rounded(place),
                "label": code_name(code) if memory else "",
                "colour": colour,
                "radius": 6 if rests else 4,
            }
        )
    return _scene(analysis) | {"points": found}


def _rounded(at: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in at]
