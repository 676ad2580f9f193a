"""Elementwise kernels on one row (one neuron, all lanes of a tile), see `vector.row_kernel`.

Names used throughout the CPU engine, per neuron and lane:

    u        argument of the saturation: gain * (weights @ y + external) + offset
    s        what the saturation leaves: sigmoid(u) in (0, 1), or u itself where nothing saturates
    x, y     state and its high-pass (oscillator), or state and tanh (CTRNN)
    p1, p0, p2   oscillator: z = a h = p1 s + p0 and c h = p1 s + p2;   CTRNN: x' = p0 x + p1 s
    g_...    adjoint of ...;   v: adjoint of u
    by_...   derivative of the next state by ... (by s: p1 * by_s)
"""

from spinhw.rollout.cpu.kernels.lanes import exp_parts, sigmoid, tanh
from spinhw.rollout.cpu.kernels.vector import row_kernel

OSCILLATOR, CTRNN = 0, 1
# Sums over steps and samples that the adjoint returns per neuron.
SUM_OFFSET, SUM_GAIN, SUM_P1, SUM_P0, SUM_P2, SUM_DECAY, SUM_KAPPA, SUMS = range(8)


# ---------------------------------------------------------------- forward


@row_kernel("s")
def saturate(drive, offset):
    """Bounded drive."""
    return sigmoid(drive + offset)


@row_kernel("s")
def shift(drive, offset):
    """Unbounded drive."""
    return drive + offset


def _logistic(x, s, p1, p0, p2):
    """Give x / (e^-z + c h phi(-z) x) with z = p1 s + p0 and c h = p1 s + p2.

    The form of both signs of z: z is bounded below where e^z is negligible, so that e^-z does not overflow.
    """
    drive = p1 * s
    z, e, q, near = exp_parts(drive + p0)
    one = z.constant(1.0)
    rise, span = (one - z * q).where(near, one - e), one.where(near, z)  # phi(-z) = rise / span
    return x * span / (e * span + (drive + p2) * rise * x)


@row_kernel("x_next")
def logistic(x, s, p1, p0, p2):
    """State of an oscillator after a step of held drive."""
    return _logistic(x, s, p1, p0, p2)


# The kernels of plain oscillators are cut into stages. A processor looks a few hundred instructions ahead: with a short
# chain of dependent operations per vector it works on many vectors at a time, with a long one it waits.


@row_kernel("e", "rise", "span")
def exponential(s, p1, p0):
    """First stage of `logistic`: e^-z, and phi(-z) = rise / span."""
    z, e, q, near = exp_parts(p1 * s + p0)
    one = z.constant(1.0)
    return e, (one - z * q).where(near, one - e), one.where(near, z)


@row_kernel("x_next", "y_next")
def advance(x, y, s, e, rise, span, p1, p2, decay, kappa):
    """Second stage of `logistic`, and `high_pass`."""
    x_next = x * span / (e * span + (p1 * s + p2) * rise * x)
    return x_next, decay * y + kappa * (x_next - x)


@row_kernel("x_next")
def relax(x, s, p1, p0):
    """State of a CTRNN neuron after a step of held drive."""
    return p0 * x + p1 * s


@row_kernel("x")
def thermal(x, amplitude, n1, n2):
    """State after thermal noise, amplitude = sqrt(D h)."""
    first, second = x.sqrt() + amplitude * n1, amplitude * n2
    return first * first + second * second


@row_kernel("y_next")
def high_pass(x, x_next, y, decay, kappa):
    """Filtered power after a step."""
    return decay * y + kappa * (x_next - x)


@row_kernel("y_next")
def high_pass_defect(x, x_next, y, decay, kappa, r, r_next):
    """Filtered power after a step, with a defect added to the power."""
    return decay * y + kappa * ((x_next - x) + (r_next - r))


@row_kernel("y_next")
def bend(x_next):
    """Output of a CTRNN neuron."""
    return tanh(x_next)


@row_kernel("mean")
def average(a, b):
    """(a + b) / 2."""
    return 0.5 * (a + b)


@row_kernel("mixed")
def mix(a, b, share):
    """(1 - share) a + share b."""
    return a + share * (b - a)


# ---------------------------------------------------------------- derivatives of one evaluation


def _linearise(x, s, p1, p0, p2):
    """Next state and its derivatives by x, z and c h, with one division."""
    drive = p1 * s
    chx = (drive + p2) * x
    z, e, q, near = exp_parts(drive + p0)
    one = z.constant(1.0)
    rise, span = (one - z * q).where(near, one - e), one.where(near, z)  # phi(-z) = rise / span
    scaled = e * span + chx * rise
    inverse = 1.0 / (span * scaled)
    per_span, reciprocal = scaled * inverse, span * (span * inverse)
    g = rise * per_span
    slope = (one - q * (one + z)).where(near, (g - e) * per_span)  # -d phi(-z) / dz
    x_next = x * reciprocal
    by_z = x_next * (reciprocal * (e + chx * slope))
    return x_next, (e * reciprocal) * reciprocal, by_z, -(x_next * (reciprocal * g) * x)


@row_kernel("x_next", "by_x", "by_s", "by_p0", "by_p2")
def linearise_logistic(x, s, p1, p0, p2):
    """`logistic` and its derivatives."""
    x_next, by_x, by_z, by_c = _linearise(x, s, p1, p0, p2)
    return x_next, by_x, by_z + by_c, by_z, by_c


@row_kernel("x_next", "by_x", "by_s", "by_p0", "by_p2")
def linearise_relax(x, s, p1, p0):
    """`relax` and its derivatives."""
    return p0 * x + p1 * s, p0, x.constant(1.0), x, x.constant(0.0)


@row_kernel("v")
def through_sigmoid(g_state, by_s, p1, s):
    """Adjoint of u from that of the next state, saturated."""
    return g_state * by_s * p1 * (s - s * s)


@row_kernel("v")
def through_identity(g_state, by_s, p1):
    """Adjoint of u from that of the next state, not saturated."""
    return g_state * by_s * p1


# ---------------------------------------------------------------- adjoint of a step


@row_kernel("g_state")
def through_high_pass(g_x, g_y, kappa):
    """Adjoint of the next state, which x and y of the next node depend on."""
    return g_x + kappa * g_y


@row_kernel("g_state")
def through_bend(g_x, g_y, y_next):
    """The same for a CTRNN."""
    return g_x + (1.0 - y_next * y_next) * g_y


@row_kernel("g_state")
def through_thermal(g_state, x_before, amplitude, n1):
    """Adjoint of the state before its noise."""
    root = x_before.sqrt()
    return g_state + g_state * (amplitude * n1 / root).where(root > 0.0, 0.0)


@row_kernel("g_x", "g_y")
def step_back(g_state, by_x, g_y, decay, kappa):
    """Adjoints at the start of the step, without what passes through the drive."""
    return g_state * by_x - kappa * g_y, decay * g_y


@row_kernel("g_predicted")
def halve(g_middle):
    """Adjoint of the predicted y from that of the mean."""
    return 0.5 * g_middle


@row_kernel("g_state")
def predictor_high_pass(g_predicted, kappa):
    """Adjoint of the predicted state."""
    return kappa * g_predicted


@row_kernel("g_state")
def predictor_bend(g_predicted, middle, y):
    """The same for a CTRNN; its predicted y is 2 middle - y."""
    predicted = middle + middle - y
    return (1.0 - predicted * predicted) * g_predicted


@row_kernel("g_x", "g_y")
def predictor_back(g_x, g_y, g_state, by_x, g_predicted, decay, kappa):
    """Adjoints at the start of the step with those of the predictor."""
    return g_x + (g_state * by_x - kappa * g_predicted), g_y + (g_predicted + decay * g_predicted)


@row_kernel("e", "rise", "span", "twin")
def exponential_twin(s, p1, p0):
    """First stage of the derivatives: `exponential`, and twin with -d phi(-z) / dz = (rise / span - twin) / span."""
    z, e, q, near = exp_parts(p1 * s + p0)
    one = z.constant(1.0)
    return e, (one - z * q).where(near, one - e), one.where(near, z), q.where(near, e)


@row_kernel("by_x", "by_s")
def slopes(x, s, e, rise, span, twin, p1, p2):
    """Second stage: derivatives of the next state by x and by s, with one division."""
    chx = (p1 * s + p2) * x
    scaled = e * span + chx * rise
    inverse = 1.0 / (span * scaled)
    per_span, reciprocal = scaled * inverse, span * (span * inverse)
    g = rise * per_span
    x_next = x * reciprocal
    by_z = x_next * (reciprocal * (e + chx * ((g - twin) * per_span)))
    return (e * reciprocal) * reciprocal, p1 * (by_z - x_next * (reciprocal * g) * x)


@row_kernel("v", "g_x", "g_y", "sum_v")
def retreat_saturated(by_x, by_s, s, g_x, g_y, sum_v, decay, kappa):
    """Last stage: adjoint of the evaluation that ends a step, saturated oscillator without noise."""
    g_state = g_x + kappa * g_y
    v = g_state * by_s * (s - s * s)
    return v, g_state * by_x - kappa * g_y, decay * g_y, sum_v + v


@row_kernel("v", "g_x", "g_y", "sum_v")
def retreat(by_x, by_s, g_x, g_y, sum_v, decay, kappa):
    """The same where nothing saturates."""
    g_state = g_x + kappa * g_y
    v = g_state * by_s
    return v, g_state * by_x - kappa * g_y, decay * g_y, sum_v + v


@row_kernel("v", "g_x", "g_y", "sum_v")
def retreat_predictor_saturated(by_x, by_s, s, g_middle, g_x, g_y, sum_v, decay, kappa):
    """Last stage for the predictor of a midpoint step, saturated oscillator."""
    g = 0.5 * g_middle
    g_state = kappa * g
    v = g_state * by_s * (s - s * s)
    return v, g_x + (g_state * by_x - g_state), g_y + (g + decay * g), sum_v + v


@row_kernel("v", "g_x", "g_y", "sum_v")
def retreat_predictor(by_x, by_s, g_middle, g_x, g_y, sum_v, decay, kappa):
    """The same where nothing saturates."""
    g = 0.5 * g_middle
    g_state = kappa * g
    v = g_state * by_s
    return v, g_x + (g_state * by_x - g_state), g_y + (g + decay * g), sum_v + v


# ---------------------------------------------------------------- sums


@row_kernel("total")
def add(total, term):
    """Give total + term."""
    return total + term


@row_kernel("total")
def add_scaled(total, factor, term):
    """Give total + factor * term."""
    return total + factor * term


@row_kernel("total")
def add_product(total, a, b):
    """Give total + a * b."""
    return total + a * b


@row_kernel("total")
def add_half(total, term):
    """Give total + term / 2."""
    return total + 0.5 * term


@row_kernel("total")
def subtract_product(total, a, b):
    """Give total - a * b."""
    return total - a * b


@row_kernel("g_p1", "g_p0", "g_p2")
def add_cell(g_p1, g_p0, g_p2, g_state, s, by_s, by_p0, by_p2):
    """Sums of the adjoints of p1, p0, p2."""
    return g_p1 + g_state * by_s * s, g_p0 + g_state * by_p0, g_p2 + g_state * by_p2


@row_kernel("g_decay", "g_kappa")
def add_filter(g_decay, g_kappa, g, x, x_next, y):
    """Sums of the adjoints of decay and kappa; g: adjoint of the filter's result."""
    return g_decay + g * y, g_kappa + g * (x_next - x)
