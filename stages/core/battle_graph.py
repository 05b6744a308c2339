"""Which models can be compared through their battles."""

import numpy as np
import numpy.typing as npt

from schemas.errors import SluiceError
from stages.core.battles import LOST, TIED, WON, Battles, Floats

Flags = npt.NDArray[np.bool_]
REMEDY = "leave them out, add battles, or give a prior (a standard deviation in logits, such as 3)"


class NoEstimate(SluiceError):
    """The battles do not determine finite strengths; the message names the models and what to do."""


def groups(battles: Battles, counts: Floats) -> list[list[str]]:
    """Models by groups between which there was no battle, the largest first."""
    met = _beaten(battles, counts)
    met |= met.T
    left, found = np.ones(len(met), bool), []
    while left.any():
        inside = _reached(met, int(np.argmax(left)))
        found.append([battles.models[at] for at in np.flatnonzero(inside)])
        left &= ~inside
    return sorted(found, key=len, reverse=True)


def connected(battles: Battles, counts: Floats) -> bool:
    """Whether every model beat or tied every other through a chain of battles, and so has a finite strength."""
    beaten = _beaten(battles, counts)
    return bool(_reached(beaten, 0).all() and _reached(beaten.T, 0).all())


def refuse_unconnected(battles: Battles, counts: Floats) -> None:
    """Raise `NoEstimate`, naming the models, if strengths are not all finite and comparable."""
    if connected(battles, counts):
        return
    apart = groups(battles, counts)
    if len(apart) > 1:
        said = "; ".join(map(_few, apart[:5])) + ("; ..." if len(apart) > 5 else "")
        raise NoEstimate(f"the models fall into {len(apart)} groups without a battle between them ({said}): {REMEDY}")
    beaten = _beaten(battles, counts)
    reach = np.array([_reached(beaten, at) for at in range(len(beaten))])
    names = np.array(battles.models)
    parts = []
    for words, table in (("won every battle against the others", reach), ("lost every battle against the others", reach.T)):
        # a group at the top: whoever reaches one of it is reached by it
        at_end = [at for at in range(len(table)) if (table[at] >= table[:, at]).all()]
        ends = {tuple(names[table[at] & table[:, at]]) for at in at_end if not (table[at] & table[:, at]).all()}
        parts += [f"{_few(list(end))} {words}" for end in sorted(ends)]
    raise NoEstimate(f"no finite strengths: {'; '.join(parts[:6])}: {REMEDY}")


def _beaten(battles: Battles, counts: Floats) -> Flags:
    """[i, j]: whether i beat or tied j."""
    size = len(battles.models)
    table = np.zeros((size, size), bool)
    for winner, loser, outcome in ((battles.first, battles.second, WON), (battles.second, battles.first, LOST)):
        some = counts[:, outcome] + counts[:, TIED] > 0
        table[winner[some], loser[some]] = True
    return table


def _reached(steps: Flags, start: int) -> Flags:
    found = np.zeros(len(steps), bool)
    found[start] = True
    front = found
    while front.any():
        front = steps[front].any(axis=0) & ~found
        found |= front
    return found


def _few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
