"""python benchmarks/flipflop.py: a training step of the flip-flop RNN, side by side in one run, one thread.

400 units, 128 sequences of 350 steps, Adam: ours, torch.nn.RNN, Keras on TensorFlow where it is installed, the floor:
the three matrix products of a step with nothing around them. Ratios are what counts; times depend on the
machine and on what else it does. With --realisations: two networks one after another and side by side, wall time.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[variable] = "1"  # Before anything that computes is imported.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import torch  # noqa: E402
from torch.nn.functional import mse_loss  # noqa: E402

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.machine import processor  # noqa: E402
from benchmarks.timing import in_turns, turn  # noqa: E402
from spinhw.network import RecurrentNetwork, RecurrentSettings  # noqa: E402
from spinhw.streams import torch_stream  # noqa: E402
from spinhw.tasks import FlipFlopSettings, Trials, draw_trials  # noqa: E402
from spinhw.training.software_ensemble import each  # noqa: E402

STEPS, BATCH, UNITS = 350, 128, 400


def ours(trials: Trials) -> Callable[[], None]:
    network = RecurrentNetwork(RecurrentSettings(units=UNITS))
    adam = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step() -> None:
        adam.zero_grad()
        trials.loss(network(trials.inputs)).backward()
        adam.step()

    return step


def torch_rnn(trials: Trials) -> Callable[[], None]:
    rnn, read_out = torch.nn.RNN(3, UNITS, bias=False, batch_first=True), torch.nn.Linear(UNITS, 3)
    adam = torch.optim.Adam([*rnn.parameters(), *read_out.parameters()], lr=1e-4)

    def step() -> None:
        adam.zero_grad()
        mse_loss(read_out(rnn(trials.inputs)[0]), trials.targets).backward()
        adam.step()

    return step


def floor() -> Callable[[], None]:
    weights, states, results = torch.randn(UNITS, UNITS), *(torch.randn(STEPS, BATCH, UNITS) for _ in range(2))

    def step() -> None:
        for one, result in zip(states, results, strict=True):
            torch.mm(one, weights, out=result)
        for one, result in zip(states, results, strict=True):
            torch.mm(one, weights, out=result)
        torch.mm(states.view(-1, UNITS).T, results.view(-1, UNITS))

    return step


def keras_rnn(trials: Trials) -> Callable[[], None] | None:
    try:
        import keras
        import tensorflow as tf
    except ImportError:
        return None
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = keras.Sequential(
        [
            keras.Input((STEPS, 3)),
            keras.layers.SimpleRNN(UNITS, return_sequences=True, use_bias=False, recurrent_initializer="orthogonal"),
            keras.layers.Dense(3),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="mse", jit_compile=False)
    inputs, targets = trials.inputs.numpy(), trials.targets.numpy()
    return lambda: model.train_on_batch(inputs, targets)


def side_by_side(trials: Trials, count: int, repeats: int) -> None:
    steps = [ours(trials) for _ in range(count)]

    def on(threads: int) -> Callable[[], object]:
        return lambda: each(lambda step: step(), steps, threads)

    actions = {"one after another": on(1), "side by side": on(count)}
    for action in actions.values():
        action()
    walls = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            walls[name].append(turn(action)[1])
    print(f"{processor()}, a step of {count} networks, wall time, least of {repeats} turns")
    for name, wall in walls.items():
        print(f"{name:24s} {min(wall):7.3f} s, {min(walls['one after another']) / min(wall):5.2f} x as fast")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=5, help="turns of each contender")
    arguments.add_argument("--realisations", action="store_true", help="two networks on one core and on two")
    chosen = arguments.parse_args()
    repeats = chosen.repeats
    torch.set_num_threads(1)
    task = FlipFlopSettings.published(steps=STEPS)
    trials = draw_trials(task, BATCH, torch_stream("benchmark"))
    if chosen.realisations:
        side_by_side(trials, 2, repeats)
        return
    actions = {"spinhw": ours(trials), "torch.nn.RNN": torch_rnn(trials), "matrix products alone": floor()}
    keras = keras_rnn(trials)
    if keras is not None:
        actions["Keras on TensorFlow"] = keras
    for action in actions.values():
        action()  # Compiled, and memory taken.
    rows = in_turns(actions, repeats)
    base = rows["spinhw"]["processor_least_s"]
    print(f"{processor()}, {UNITS} units, batch {BATCH}, {STEPS} steps, one thread, least of {repeats}")
    for name, row in rows.items():
        least = row["processor_least_s"]
        print(f"{name:24s} {least:7.3f} s processor, {row['processor_s']:7.3f} s median, {least / base:5.2f} x spinhw")


if __name__ == "__main__":
    main()
