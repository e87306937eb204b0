// What the C libraries have to give memory back to the system, which Swift does not import. Everything is inline: there
// is no library to link.
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

#endif
