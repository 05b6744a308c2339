r"""Addresses: what spaCy's expression for URLs matches, from the first to the last byte of a string without white space.

    (\w|[+.-]){2,}://      perhaps a scheme
    anything@              perhaps a name
    host                   labels with full stops between them, or four numbers
    :12345                 perhaps a port of 2 to 5 digits
    [/?#] anything         perhaps a path

The scheme's marks are not among its own letters, and neither are those after the host among the host's: so a string is read
once from each place where a host may begin.
"""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.spacy_rules import DECIMAL, HOST, LOWER, NAME
from stages.kernels.unicode import decode

_STOP, _SLASH, _COLON, _AT = 0x2E, 0x2F, 0x3A, 0x40
_LONGEST_LABEL, _LONGEST_TOP = 64, 63


@leaf
def is_address(data: Any, start: Any, stop: Any, classes: Any) -> Any:
    """Whether spaCy takes `data[start:stop]` for a URL, which is then one word."""
    first = start
    while first < stop and data[first] != _STOP:
        first += 1
    if first == stop:
        return False
    if _is_host(data, start, stop, classes):
        return True
    scheme = _scheme_end(data, start, stop, classes)
    if scheme and _is_host(data, scheme, stop, classes):
        return True
    position = start + 1
    while position < stop and not (data[position] == _AT and _is_host(data, position + 1, stop, classes)):
        position += 1
    return position < stop


@leaf
def _scheme_end(data: Any, start: Any, stop: Any, classes: Any) -> Any:
    """Where the scheme at `start` ends, its :// included; 0 if there is none."""
    position, length = start, 0
    while position < stop:
        code, size = decode(data, position, stop)
        if not (classes[code] & NAME or code == 0x2B or code == 0x2D or code == 0x2E):
            break
        position += size
        length += 1
    found = length >= 2 and position + 3 <= stop and data[position] == _COLON
    return position + 3 if found and data[position + 1] == _SLASH and data[position + 2] == _SLASH else np.int64(0)


@leaf
def _is_host(data: Any, start: Any, stop: Any, classes: Any) -> Any:
    """Whether a host begins at `start`, with nothing but a port and a path between it and `stop`."""
    if start < stop and 0x31 <= data[start] <= 0x39 and _is_number_host(data, start, stop, classes):
        return True
    position, labels, length = start, 0, 0
    label, top = True, True  # whether what came since the last full stop can be a label, or the last of all
    first, last = np.int64(0), np.int64(0)
    while position < stop:
        code, size = decode(data, position, stop)
        if code == _STOP:
            if not (label and 1 <= length <= _LONGEST_LABEL and first & HOST and last & HOST):
                return False
            labels, length, top = labels + 1, 0, True
        elif code == 0x3A or code == 0x2F or code == 0x3F or code == 0x23:  # : / ? #
            break
        else:
            last = np.int64(classes[code])
            if length == 0:
                first = last
            label = label and (last & HOST != 0 or code == 0x2D or code == 0x5F)
            top = top and last & LOWER != 0
            if not (label or top):
                return False
            length += 1
        position += size
    return labels > 0 and top and 2 <= length <= _LONGEST_TOP and _is_rest(data, position, stop, classes)


@leaf
def _is_rest(data: Any, position: Any, stop: Any, classes: Any) -> Any:
    """Whether only a port and a path are between `position` and `stop`."""
    if position < stop and data[position] == _COLON:
        position, length, _, _, _ = _number(data, position + 1, stop, classes)
        if not 2 <= length <= 5:
            return False
    return position == stop or data[position] == _SLASH or data[position] == 0x3F or data[position] == 0x23


@leaf
def _number(data: Any, position: Any, stop: Any, classes: Any) -> Any:
    """Where the digits at `position` end, how many they are, and the first three: 10 for those that are not ASCII."""
    length, first, second, third = 0, np.int64(-1), np.int64(-1), np.int64(-1)
    while position < stop:
        code, size = decode(data, position, stop)
        if classes[code] & DECIMAL == 0:
            break
        value = code - 0x30 if code < 0x3A else np.int64(10)
        if length == 0:
            first = value
        elif length == 1:
            second = value
        elif length == 2:
            third = value
        length += 1
        position += size
    return position, length, first, second, third


@leaf
def _is_number_host(data: Any, start: Any, stop: Any, classes: Any) -> Any:
    """Four numbers: 1 to 223, 0 to 255 twice, and 1 to 254, but no address of a private network or of the machine itself."""
    position, length, first, second, third = _number(data, start, stop, classes)
    if not 1 <= length <= 3 or first < 1 or first > 9:
        return False
    if length == 3 and not (first == 1 or (first == 2 and (second <= 1 or (second == 2 and third <= 3)))):
        return False
    ten = length == 2 and first == 1 and second == 0
    own = length == 3 and first == 1 and second == 2 and third == 7
    class_b = length == 3 and first == 1 and second == 7 and third == 2
    link = length == 3 and first == 1 and second == 6 and third == 9
    class_c = length == 3 and first == 1 and second == 9 and third == 2
    if ten or own:
        return False
    for part in range(3):
        if position >= stop or data[position] != _STOP:
            return False
        position, length, first, second, third = _number(data, position + 1, stop, classes)
        if not 1 <= length <= 3:
            return False
        largest = 4 if part == 2 else 5
        high = first == 2 and (second <= 4 or (second == 5 and third <= largest))
        if length == 3 and not (first == 1 or high):
            return False
        if part == 2 and length < 3 and not 1 <= first <= 9:
            return False
        if part == 0:
            if class_b and length == 2 and ((first == 1 and 6 <= second <= 9) or first == 2 or (first == 3 and second <= 1)):
                return False
            if link and length == 3 and first == 2 and second == 5 and third == 4:
                return False
            if class_c and length == 3 and first == 1 and second == 6 and third == 8:
                return False
    return _is_rest(data, position, stop, classes)
