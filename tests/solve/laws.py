"""Small laws of other kinds, for tests of the solvers that take them."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Waves:
    """Smooth, with many local minima: score of task i = sum_j a_ij sin(b_ij p_j + d_ij)."""

    a: np.ndarray
    b: np.ndarray
    d: np.ndarray
    convex = False
    smooth = True

    @property
    def n_features_in_(self):
        return self.a.shape[1]

    def predict(self, P):
        return (self.a * np.sin(self.b * P[:, None, :] + self.d)).sum(axis=2)

    def gradient(self, p, weights):
        return weights @ (self.a * self.b * np.cos(self.b * p + self.d))

    def hessian(self, p, weights):
        return np.diag(-weights @ (self.a * self.b**2 * np.sin(self.b * p + self.d)))


@dataclass
class Steps:
    """Without a gradient, as trees are: distance (m,) to a best mixture, rounded up to steps of 0.05."""

    best: np.ndarray
    convex = False
    smooth = False

    @property
    def n_features_in_(self):
        return len(self.best)

    def predict(self, P):
        return np.ceil(20 * np.abs(P - self.best).sum(axis=1, keepdims=True)) / 20


@dataclass
class Powers:
    """Convex with an infinite slope at 0, as BiMix: score of task i = sum_j a_ij p_j^-e_ij."""

    a: np.ndarray
    e: np.ndarray
    convex = True
    smooth = True

    @property
    def n_features_in_(self):
        return self.a.shape[1]

    def predict(self, P):
        return (self.a * np.clip(P, 1e-12, 1)[:, None, :] ** -self.e).sum(axis=2)

    def gradient(self, p, weights):
        return weights @ (-self.a * self.e * np.clip(p, 1e-12, 1) ** (-self.e - 1))

    def hessian(self, p, weights):
        return np.diag(weights @ (self.a * self.e * (self.e + 1) * np.clip(p, 1e-12, 1) ** (-self.e - 2)))

    def expression(self, p, weights):
        import cvxpy as cp

        n, m = self.a.shape
        return sum(weights[i] * self.a[i, j] * cp.power(p[j], -self.e[i, j]) for i in range(n) for j in range(m))


def waves(domains, tasks=3, seed=0):
    rng = np.random.default_rng(seed)
    shape = tasks, domains
    return Waves(rng.uniform(0, 1, shape), rng.uniform(5, 15, shape), rng.uniform(0, 6, shape))
