"""Errors a person can act on: each says what is wrong, where, and what was expected."""


class SluiceError(Exception):
    """Base of every error Sluice raises on purpose. `exit_code` is what the command line returns."""

    exit_code = 1


class RecipeError(SluiceError):
    """The recipe cannot be run as written; the message names the place in the file."""

    exit_code = 2


class InputError(SluiceError):
    """An input path, file or column is missing, unreadable, or not what the recipe says it is."""

    exit_code = 2


class OutputError(SluiceError):
    """The output folder is not ours to write to, or there is no room in it."""

    exit_code = 2


class MissingExtra(SluiceError):
    """A stage needs a package of an extra that is not installed; the message holds the `pip install` line."""

    exit_code = 2


class StageError(SluiceError):
    """A stage broke its contract or raised while `on_error` is `stop`."""


class FailureBudgetExceeded(SluiceError):
    """More documents failed than the recipe allows."""

    exit_code = 3


class AccountingError(SluiceError):
    """Documents in do not equal documents out, dropped and quarantined. Always a defect of Sluice or of a stage."""

    exit_code = 4


class Stalled(SluiceError):
    """No progress: the message names the stage that waits and the resource it waits for."""

    exit_code = 5


class BudgetReached(SluiceError):
    """What a step may ask of a model is spent. All answers are kept: a run with a larger budget goes on from there."""

    exit_code = 6


class AnswerFault(SluiceError):
    """What a model answered cannot be used; the message says to which prompt, and what is wrong with it."""
