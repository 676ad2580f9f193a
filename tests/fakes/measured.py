"""Oscillators whose truth is known, and what is measured of them under drives drawn at random."""

from dataclasses import replace

import torch

from spinhw.streams import torch_stream
from spinhw.surrogate import Oscillators, Played, modelled

STEP_S, BIAS, GAMMA = 1e-9, 4e8, 2e8
NOMINAL_SPREAD = 0.3
ALL = ("gamma", "sigma", "q", "gain", "offset", "delay", "lag")
DYNAMICS = ("gamma", "sigma", "q")


def nominal(count: int) -> Oscillators:
    one = torch.ones(count, dtype=torch.float64)
    return Oscillators(GAMMA * one, one, 0 * one, one, 0 * one, 0 * one, 0 * one)


def truth(count: int, *, readout=True, delay=0.4e-9, lag=0.3e-9) -> Oscillators:
    spread = torch.randn(6, count, generator=torch_stream("true oscillators"), dtype=torch.float64)
    one, on = torch.ones(count, dtype=torch.float64), float(readout)
    return Oscillators(
        GAMMA * torch.exp(0.2 * spread[0]),
        torch.exp(0.2 * spread[1]),
        (0.2 * spread[2]).clamp_min(-0.5),
        1 + on * 0.05 * spread[3],
        on * 0.02 * spread[4],
        on * (delay + 0.1e-9 * spread[5]),
        on * lag * one,
    )


def measured(true: Oscillators, noise: float, batch=24, time=64, highest=4.0) -> Played:
    draw = torch_stream("what is played", batch)
    levels = torch.rand(batch, time // 4, true.count, generator=draw, dtype=torch.float64) * highest * GAMMA
    drive = levels.repeat_interleave(4, 1)
    drive[: batch // 6, time // 2 :] = 0.0
    empty = torch.zeros(batch, time + 1, true.count, dtype=torch.float64)
    blank = Played(drive, empty, torch.ones_like(empty, dtype=torch.bool), STEP_S, BIAS)
    power = modelled(blank, true)[0]
    power = power + noise * torch.randn(power.shape, generator=torch_stream("noise"), dtype=torch.float64)
    return replace(blank, power=power)
