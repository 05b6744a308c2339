"""The slow, obvious definition of what every kernel answers, on strings. Tests and the fuzzer compare the kernels with it."""
