"""Model units to SI and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinhw.conversion import Conversion, ConversionSettings, Scaling
from spinhw.device import Limit
from spinhw.errors import LimitError

numbers = st.floats(-1e6, 1e6)
factors = st.floats(1e-6, 1e6)


@given(factors, numbers, numbers)
def test_a_line_is_inverted_by_its_inverse(per_unit, offset, value):
    line = Scaling(per_unit, "V", offset)
    back = line.to_model(line.to_si(torch.tensor([value], dtype=torch.float64)))
    # What the offset swallows of a small value cannot come back.
    assert float(back[0]) == pytest.approx(value, rel=1e-9, abs=1e-9 * (1 + abs(offset) / per_unit))


def test_channels_have_their_own_factors():
    line = Scaling((1.0, 2.0), "V", (0.0, 0.5))
    values = torch.tensor([[1.0, 1.0], [2.0, 3.0]])
    torch.testing.assert_close(line.to_si(values), torch.tensor([[1.0, 2.5], [2.0, 6.5]]))
    torch.testing.assert_close(line.to_model(line.to_si(values)), values)


def test_absent_synapses_stay_exact_zeros():
    line = Scaling(0.3, "V", 0.7)
    zeros = torch.zeros(4)
    assert torch.equal(line.to_model(line.to_si(zeros)), zeros)


@pytest.mark.parametrize("factor", [0.0, float("inf"), float("nan"), (1.0, 0.0)])
def test_factors_without_inverse_are_refused(factor):
    with pytest.raises(ValueError, match="other than zero"):
        Scaling(factor, "V")


def test_threshold_current_fixes_the_drive():
    gamma_per_s, sigma = 2e8, 1.25
    conversion = ConversionSettings(threshold="5 mA", input="50 mV").conversion(gamma_per_s / sigma)
    # At the threshold current, sigma I = gamma.
    assert sigma * conversion.drive.to_model(5e-3) == pytest.approx(gamma_per_s)
    assert conversion.drive.unit == "A"
    assert conversion.input.to_si(2.0) == pytest.approx(0.1)


def test_drive_per_ampere_must_be_positive():
    with pytest.raises(ValueError, match="drive_per_ampere"):
        Conversion(drive_per_ampere=-1.0)


def test_parameters_are_converted_by_kind():
    conversion = Conversion(weight=Scaling(0.5, "V"), bias=Scaling(2.0, "V"))
    values = {"w_int.0": torch.ones(1, 2, 2), "bias.0": torch.ones(1, 2)}
    kinds = {"w_int.0": "weight", "bias.0": "bias"}
    si = conversion.parameters_to_si(values, kinds)
    assert float(si["w_int.0"].max()) == 0.5
    assert float(si["bias.0"].max()) == 2.0
    back = conversion.parameters_to_model(si, kinds)
    assert all(torch.equal(back[name], values[name]) for name in values)


def test_limit_names_channel_value_and_limit():
    limit, values = Limit(-1.0, 1.0), torch.zeros(1, 2, 3, 4)
    values[0, 1, 2, 3] = 1.5
    with pytest.raises(LimitError, match=r"chip-0: input channel 3.*1.5 V \(model value 3\).*-1 to 1 V"):
        limit.check("chip-0", "input", values, Scaling(0.5, "V"))


def test_limit_names_the_member():
    values = torch.zeros(2, 1, 1, 1)
    values[1] = -2.0
    with pytest.raises(LimitError, match="chip-7: input"):
        Limit(-1.0, 1.0).check("two chips", "input", values, Scaling(1.0, "V"), ("chip-6", "chip-7"))


def test_limits_themselves_are_allowed_even_after_rounding():
    line = Scaling(0.1, "V")
    limit = Limit.of_model_range(line, -4.0, 4.0)
    limit.check("chip-0", "weight", line.to_si(torch.tensor([[-4.0, 4.0]], dtype=torch.float32)), line)


def test_limit_of_a_negative_factor_is_ordered():
    limit = Limit.of_model_range(Scaling(-2.0, "V"), 0.0, 1.0)
    assert (limit.lowest, limit.highest) == (-2.0, 0.0)
