#pragma once
#include <stddef.h>
#include <stdint.h>

/// libFuzzer as a library: runs `callback` until something breaks or the flags in `argv` say stop.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
