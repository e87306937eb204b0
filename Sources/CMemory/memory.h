// What concerns memory and cannot be said in Swift: giving it back to the system, and having the processor fetch it before
// it is read. Everything is inline: there is no library to link.
#ifndef TRACESTORE_MEMORY_H
#define TRACESTORE_MEMORY_H

#include <stdlib.h>

#if defined(__APPLE__)
#include <malloc/malloc.h>
static inline void tracestore_give_back_memory(void) { malloc_zone_pressure_relief(NULL, 0); }
#elif defined(__GLIBC__)
#include <malloc.h>
static inline void tracestore_give_back_memory(void) { malloc_trim(0); }
#else
// musl keeps little.
static inline void tracestore_give_back_memory(void) {}
#endif

// Any address may be given: one that cannot be read is passed over.
static inline void tracestore_prefetch(const void *address) { __builtin_prefetch(address); }

#endif
