"""dx/dt = -gamma (1 + Q x + Q2 x^2) x + sigma I (1 - x) x."""

from dataclasses import dataclass

from spinhw.physics import Rate


@dataclass(frozen=True)
class QuadraticDamping(Rate):
    q2: float

    name = "quadratic_damping"

    def __call__(self, power, drive, gamma, sigma, q):
        return (sigma * drive * (1 - power) - gamma * (1 + q * power + self.q2 * power**2)) * power

    def derivatives(self, power, drive, gamma, sigma, q):
        by_power = sigma * drive * (1 - 2 * power) - gamma * (1 + 2 * q * power + 3 * self.q2 * power**2)
        by_gamma = -(1 + q * power + self.q2 * power**2) * power
        return by_power, by_gamma, drive * (1 - power) * power, -gamma * power**2
