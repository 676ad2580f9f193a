"""What the base class does for every backend: limits, recovery, leaving safe. The backend here is a fake that fails."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from fakes.device import INPUTS, NEURONS, FakeDevice, inputs, parameters
from spinhw import NetworkSettings, SpintronicNetwork
from spinhw.device import ObservationPlan, Quality, SimulatedSettings, open_bank, open_device, open_synapses
from spinhw.device.session import MOST_REPEATS
from spinhw.errors import DeviceError, LimitError


def test_connecting_programs_nothing_and_leaving_makes_safe():
    with FakeDevice() as device:
        assert device.log == ["open"]
    assert device.log == ["open", "make_safe", "close"]


def test_a_batch_is_converted_and_assembled():
    with FakeDevice() as device:
        applied = device.program(parameters())
        trace = device.run(inputs(), averages=2)
    assert applied["w_ext.0"].shape == (NEURONS, INPUTS)
    assert torch.equal(trace.power.values, torch.full((2, 4, NEURONS), 2.0))  # 1 V at 0.5 V for each unit
    assert trace.shots == (0, 4)  # three neurons over two channels are two repeats
    assert trace.averages == 2
    assert trace.device_ids == ("fake-0",)
    assert trace.seed is None
    assert set(trace.applied) == {"w_ext.0", "bias.0"}


def test_traces_of_a_simulated_device_keep_its_seed():
    settings, network = SimulatedSettings(kind="simulated", seed=7), NetworkSettings(layers=(2,), outputs=2)
    with open_device(settings, network, 1e-9) as device:
        device.program(SpintronicNetwork(network, seed=0).values())
        assert device.run(torch.zeros(1, 3, 1)).seed == device.describe().seed == 7
    with open_bank(settings, network, 1e-9) as bank:
        assert bank.play(torch.full((1, 3, 2), 2e8)).seed == bank.describe().seed == 7
    assert open_synapses(settings).describe().seed == 7


def test_software_parameters_are_handed_through():
    with FakeDevice() as device:
        applied = device.program(parameters() | {"b_out": torch.ones(5, requires_grad=True)})
    assert torch.equal(applied["b_out"], torch.ones(5))
    assert not applied["b_out"].requires_grad


def test_masks_say_which_synapses_exist():
    mask = torch.tensor([[True, False]] * NEURONS)
    with FakeDevice() as device:
        with pytest.raises(ValueError, match=r"w_ext.0 asks for synapses that do not exist"):
            device.program(parameters(), {"w_ext.0": mask})
        asked = parameters() | {"w_ext.0": 0.5 * mask}
        device.program(asked, {"w_ext.0": mask})
        device.seen_as = lambda held: {name: value + 0.01 for name, value in held.items()}
        applied = device.program(asked, {"w_ext.0": mask, "w_none": mask})["w_ext.0"]
        assert bool((applied[:, 0] != 0.5).all()) and bool((applied[:, 1] == 0).all())
        everywhere = device.program(asked)["w_ext.0"]
        assert bool((everywhere[:, 1] != 0).all())


def test_member_axis_comes_back_as_it_was_given():
    with FakeDevice() as device:
        applied = device.program({name: value[None] for name, value in parameters().items()})
        trace = device.run(inputs()[None])
    assert applied["w_ext.0"].shape == (1, NEURONS, INPUTS)
    assert trace.power.values.shape == (1, 2, 4, NEURONS)


def test_unobserved_neurons_are_marked():
    with FakeDevice() as device:
        device.program(parameters())
        trace = device.run(inputs(), observe=ObservationPlan(((1,),)))
    assert trace.power.quality[0, 0].tolist() == [Quality.UNOBSERVED, Quality.GOOD, Quality.UNOBSERVED]


def test_inputs_beyond_the_limit_are_refused_before_anything_is_sent():
    with FakeDevice() as device:
        device.program(parameters())
        wrong = inputs()
        wrong[1, 2, 1] = 3.0
        with pytest.raises(LimitError, match=r"fake-0: input channel 1.*1.5 V \(model value 3\).*-1 to 1 V"):
            device.run(wrong)
        assert "run" not in device.log


def test_parameters_beyond_the_limit_are_refused_before_anything_is_sent():
    with FakeDevice() as device:
        with pytest.raises(LimitError, match=r"weight w_ext.0 channel 0.*allowed: -2 to 2 V"):
            device.program(parameters(2.5))
        assert "program" not in device.log


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(wrong):
    with FakeDevice() as device:
        with pytest.raises(LimitError, match="parameter w_ext.0.*not a finite number"):
            device.program(parameters(wrong))
        device.program(parameters())
        with pytest.raises(LimitError, match="inputs.*not a finite number"):
            device.run(inputs(wrong))


def test_wrong_shapes_and_names_are_refused():
    with FakeDevice() as device:
        with pytest.raises(ValueError, match=r"missing: \['bias.0'\]"):
            device.program({"w_ext.0": torch.zeros(NEURONS, INPUTS)})
        with pytest.raises(ValueError, match=r"w_ext.0 has shape \(2, 2\); it must be \(3, 2\)"):
            device.program(parameters() | {"w_ext.0": torch.zeros(2, 2)})
        device.program(parameters())
        with pytest.raises(ValueError, match=r"inputs has shape \(4, 2\)"):
            device.run(torch.zeros(4, INPUTS))
        with pytest.raises(ValueError, match="averages"):
            device.run(inputs(), averages=0)


def test_a_closed_or_unprogrammed_device_says_so():
    device = FakeDevice()
    with pytest.raises(DeviceError, match="is not open"):
        device.run(inputs())
    with device, pytest.raises(DeviceError, match="was not programmed"):
        device.run(inputs())


@pytest.mark.parametrize("count", range(1, MOST_REPEATS + 1))
def test_faults_while_running_are_recovered(count):
    with FakeDevice(faults=["run"] * count) as device:
        device.program(parameters())
        trace = device.run(inputs())
    assert trace.repeats_after_faults == count
    assert device.faults == count
    assert bool(trace.power.good.all())
    recovery = ["close", "open", "read_back", "program", "read_back", "run"]
    assert device.log == ["open", "program", "read_back", "run", *recovery * count, "make_safe", "close"]


def test_faults_while_programming_are_recovered():
    with FakeDevice(faults=["read_back", "program"]) as device:
        applied = device.program(parameters())
    assert torch.equal(applied["w_ext.0"], parameters()["w_ext.0"])
    assert device.faults == 2


def test_faults_while_recovering_count_too():
    with FakeDevice(faults=["run", "open", "program"]) as device:
        device.program(parameters())
        device.failing = ["run", "open", "program"]
        trace = device.run(inputs())
    assert trace.repeats_after_faults == 3


def test_too_many_faults_stop_safe():
    with FakeDevice() as device:
        device.program(parameters())
        device.failing = ["run"] * (MOST_REPEATS + 1)
        with pytest.raises(
            DeviceError, match="fake-0: gave up after 3 repeats; all outputs are off.*injected into run"
        ):
            device.run(inputs())
        assert device.log[-2:] == ["make_safe", "close"]
        assert device.log.count("run") == MOST_REPEATS + 1
        with pytest.raises(DeviceError, match="is not open"):
            device.run(inputs())
    assert device.log.count("make_safe") == 1


def test_another_identity_after_reopening_is_a_fault():
    with FakeDevice() as device:
        device.program(parameters())
        device.failing, device.identity = ["run"], "fake 2"
        with pytest.raises(DeviceError, match="another device answers.*fake 2.*fake 1"):
            device.run(inputs())


def test_other_parameters_after_a_fault_are_never_measured_with():
    with FakeDevice() as device:
        device.program(parameters())
        device.failing = ["run"]
        device.seen_as = lambda held: {name: value * 0.9 for name, value in parameters().items()}
        with pytest.raises(DeviceError, match="reads back other parameters"):
            device.run(inputs())
    assert device.log.count("run") == 1


def test_refused_parameters_leave_the_old_ones():
    with FakeDevice() as device:
        device.program(parameters())
        with pytest.raises(LimitError):
            device.program(parameters(9.0))
        assert torch.equal(device.run(inputs()).applied["w_ext.0"], parameters()["w_ext.0"])


def test_failed_opening_is_made_safe():
    device = FakeDevice(faults=["open"])
    with pytest.raises(DeviceError, match="injected into open"):
        device.open()
    assert device.log == ["open", "make_safe", "close"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("gone"), SystemExit(1)])
def test_every_exception_leaves_it_safe(error):
    device = FakeDevice()
    with pytest.raises(type(error)), device:
        device.program(parameters())
        device.interrupt = error
        device.run(inputs())
    assert device.log[-2:] == ["make_safe", "close"]


def test_unconfirmed_outputs_are_named():
    device = FakeDevice(left_on=["bias current", "RF source"])
    with pytest.raises(DeviceError, match="could not be confirmed off.*bias current, RF source"), device:
        pass
    assert device.unconfirmed == ("bias current", "RF source")


def test_unconfirmed_outputs_are_added_to_the_first_error():
    with pytest.raises(ZeroDivisionError) as caught, FakeDevice(left_on=["bias current"]):
        _ = 1 / 0
    assert "bias current" in caught.value.__notes__[0]


def test_a_failure_to_make_safe_counts_every_output_as_on():
    device = FakeDevice(faults=["make_safe"])
    with pytest.raises(DeviceError, match="every output of fake-0"), device:
        pass


def hear_as_at_the_start() -> None:
    """Put signals to what they are in a fresh process, whatever ran in this one before; `hearing` undoes it."""
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at SIGTERM without asking it")
def test_termination_makes_safe_and_gives_the_signal_back():
    hear_as_at_the_start()
    device = FakeDevice()
    with pytest.raises(SystemExit), device:
        signal.raise_signal(signal.SIGTERM)
    assert device.log[-1] == "close"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_signals_are_given_back_with_the_last_session_that_ends():
    hear_as_at_the_start()
    one, other = FakeDevice(), FakeDevice()
    with one:
        caught = signal.getsignal(signal.SIGTERM)
        assert caught != signal.SIG_DFL
        with other:
            pass
        assert signal.getsignal(signal.SIGTERM) == caught
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with one:
        assert signal.getsignal(signal.SIGTERM) == caught
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at SIGTERM without asking it")
def test_a_termination_while_outputs_go_off_is_heard_by_who_heard_it_then():
    """The last session gives the signal back; one that came before that must not end the process on the spot."""

    class Terminated(FakeDevice):
        def _make_safe(self) -> list[str]:
            signal.raise_signal(signal.SIGTERM)
            return super()._make_safe()

    hear_as_at_the_start()
    device = Terminated()
    with pytest.raises(SystemExit), device:
        pass
    assert device.log == ["open", "make_safe", "close"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_ctrl_c_does_not_cut_the_switching_off_short():
    class Interrupted(FakeDevice):
        def _make_safe(self) -> list[str]:
            signal.raise_signal(signal.SIGINT)
            return super()._make_safe()

    device = Interrupted()
    with pytest.raises(KeyboardInterrupt), device:
        pass
    assert device.log == ["open", "make_safe", "close"]


def test_a_session_left_open_is_made_safe_at_exit():
    program = """
        from fakes.device import FakeDevice
        class Loud(FakeDevice):
            def _make_safe(self):
                print("made safe")
                return []
        device = Loud()
        device.open()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "made safe\n"
