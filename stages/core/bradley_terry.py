"""Strengths of models from their battles, by maximum likelihood (Bradley and Terry 1952), with three ways to treat ties.

With d = strength of the first model - strength of the second + coefficients x covariates, in logits:

half         P(first wins) = 1 / (1 + exp(-d)); a tie is half a battle won by each, as Chatbot Arena counts it
rao-kupper   P(first wins) = 1 / (1 + exp(eta - d)), P(second wins) = 1 / (1 + exp(eta + d)), else a tie; theta = exp(eta) > 1
             (Rao and Kupper 1967)
davidson     P(first wins), P(second wins) and P(tie) as exp(d / 2), exp(-d / 2) and nu (Davidson 1970); nu = exp(eta)

All three are concave in the parameters; Newton's method solves them with a dense matrix of models x models, so a few thousand
models are the most. Strengths have mean 0.
"""

from dataclasses import dataclass

import numpy as np

from stages.core.battle_graph import NoEstimate, refuse_unconnected
from stages.core.battles import TIED, Battles, Floats
from stages.core.tie_models import LIKELIHOODS, TIES, Ties

ELO = 400 / np.log(10)
"""points of Elo's scale for one logit"""
STEPS = 100
CLOSE = 1e-9
"""logits: a Newton step this short is the last; what is left is about its square"""
ENDLESS = 50
"""eta, the logarithm of a tie parameter; no count of ties comes near"""


@dataclass(frozen=True)
class Fit:
    """What maximises the likelihood.

    strengths       logits, mean 0
    coefficients    logits for each covariate
    tie             theta of rao-kupper, nu of davidson, None for half
    information     minus the second derivatives of the log-likelihood by the strengths
    log_likelihood  with the prior's part
    """

    strengths: Floats
    coefficients: Floats
    tie: float | None
    information: Floats
    log_likelihood: float
    parameters: Floats


def elo(strengths: Floats) -> Floats:
    """Logits on Elo's scale, the mean at 1000: 400 points are odds of 10 to 1."""
    return np.asarray(ELO * strengths + 1000)


def fit(
    battles: Battles, ties: Ties = "half", prior: float | None = None, counts: Floats | None = None, start: Floats | None = None
) -> Fit:
    """The strengths of the models.

    prior   standard deviation in logits of a normal prior with mean 0 for each strength; None for maximum likelihood. With it
            strengths are finite for any battles; between groups that never met they say what the prior says
    counts  other counts for the battles' rows, of a bootstrap sample
    start   `Fit.parameters` of a fit of similar counts

    Raises `NoEstimate` where no finite strengths are the likeliest: groups of models that never met, or of which one won
    every battle against the others (Ford 1957). A tie is a battle that both won, here.
    """
    counts = battles.counts if counts is None else counts
    if prior is None:
        refuse_unconnected(battles, counts)
    model = _model(ties, counts)
    problem = _Problem(battles, counts, model, prior)
    at = problem.start() if start is None else start
    before, step = -np.inf, np.zeros(len(at))
    for _ in range(STEPS):
        value, gradient, information = problem.derivatives(at)
        if not value >= before - 1e-9 * (1 + abs(before)):
            # a step that went too far is halved until it does not
            step = step / 2
            at = at - step
            continue
        try:
            step = np.asarray(np.linalg.solve(problem.anchored(information), gradient), float)
        except np.linalg.LinAlgError:
            break
        before, length = value, float(np.abs(step).max())
        if not np.isfinite(length):
            break
        while model == "rao-kupper" and at[-1] + step[-1] <= 0:
            step = step / 2
        at = at + step
        if length < CLOSE:
            return problem.fit(at, ties)
        if model != "half" and abs(at[-1]) > ENDLESS:
            break
    raise NoEstimate(problem.why_not())


def _model(ties: Ties, counts: Floats) -> Ties:
    """Without a tie all three are the same, and their parameter of ties has no finite estimate."""
    if ties not in TIES:
        raise NoEstimate(f"ties is {ties!r}, expected one of {', '.join(TIES)}")
    tied = counts[:, TIED].sum()
    if tied and tied == counts.sum() and ties != "half":
        raise NoEstimate(f"every battle is a tie: {ties} has no finite estimate, and with ties: half all strengths are equal")
    return ties if tied else "half"


@dataclass
class _Problem:
    """A likelihood over parameters: strengths, coefficients and, with a model of ties, eta."""

    battles: Battles
    counts: Floats
    model: Ties
    prior: float | None

    @property
    def size(self) -> int:
        return len(self.battles.models)

    def start(self) -> Floats:
        """Equal strengths, and the tie parameter that gives the observed share of ties among equals."""
        share = float(self.counts[:, TIED].sum() / self.counts.sum())
        at = np.zeros(self.size + self.battles.covariates.shape[1] + (self.model != "half"))
        if self.model != "half":
            at[-1] = np.log((1 + share if self.model == "rao-kupper" else 2 * share) / (1 - share))
        return at

    def derivatives(self, at: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, its gradient, and minus its second derivatives."""
        size, x = self.size, self.battles.covariates
        first, second = self.battles.first, self.battles.second
        many = size + x.shape[1]
        d = at[first] - at[second] + x @ at[size:many]
        terms = LIKELIHOODS[self.model](d, self.counts, float(at[-1]))
        slope, curve = terms.slope, terms.curve
        gradient, information = np.empty(len(at)), np.zeros((len(at), len(at)))

        def spread(values: Floats) -> Floats:
            return np.asarray(np.bincount(first, values, size) - np.bincount(second, values, size), float)

        gradient[:size] = spread(slope)
        gradient[size:many] = slope @ x
        between = np.bincount(first * size + second, curve, size * size).reshape(size, size)
        between += between.T
        information[:size, :size] = np.diag(between.sum(axis=1)) - between
        for at_column, column in enumerate(x.T, size):
            information[:size, at_column] = information[at_column, :size] = spread(curve * column)
        information[size:many, size:many] = x.T @ (curve[:, None] * x)
        if terms.curve_both is not None:
            gradient[-1], information[-1, -1] = terms.slope_eta, terms.curve_eta
            information[:size, -1] = information[-1, :size] = spread(terms.curve_both)
            information[size:many, -1] = information[-1, size:many] = terms.curve_both @ x
        value = terms.value
        if self.prior is not None:
            value -= float(at[:size] @ at[:size]) / 2 / self.prior**2
            gradient[:size] -= at[:size] / self.prior**2
            information[np.arange(size), np.arange(size)] += 1 / self.prior**2
        return value, gradient, information

    def anchored(self, information: Floats) -> Floats:
        """A constant added to all strengths changes nothing: with curvature in that direction, steps keep the mean at 0."""
        whole = information.copy()
        whole[: self.size, : self.size] += max(1.0, information.diagonal()[: self.size].mean()) / self.size
        return whole

    def fit(self, at: Floats, ties: Ties) -> Fit:
        value, _, information = self.derivatives(at)
        size = self.size
        many = size + self.battles.covariates.shape[1]
        if many > size:
            self._refuse_confounded(information, many)
        at = at.copy()
        at[:size] -= at[:size].mean()
        tie = None if ties == "half" else float(np.exp(at[-1])) if self.model != "half" else {"rao-kupper": 1.0}.get(ties, 0.0)
        return Fit(at[:size], at[size:many], tie, information[:size, :size], value, at)

    def _refuse_confounded(self, information: Floats, many: int) -> None:
        size = self.size
        inner, mixed = self.anchored(information)[:size, :size], information[:size, size:many]
        own = information[size:many, size:many]
        left = own - mixed.T @ np.linalg.solve(inner, mixed)
        worst = np.linalg.eigh(left / np.sqrt(np.outer(own.diagonal(), own.diagonal())))
        if worst[0][0] < 1e-8:
            name = self.battles.covariate_names[int(np.abs(worst[1][:, 0]).argmax())]
            raise NoEstimate(
                f"the effect of the covariate {name} cannot be told from strengths and other covariates: leave it out"
            )

    def why_not(self) -> str:
        parts = [f"no finite estimate was found in {STEPS} Newton steps"]
        if self.battles.covariate_names:
            parts.append(f"a covariate may decide every battle ({', '.join(self.battles.covariate_names)}): leave it out")
        if self.model != "half":
            parts.append(f"wins and ties may not determine the tie parameter of {self.model}: use ties half")
        return "; ".join(parts)
