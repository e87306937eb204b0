// What concerns memory and cannot be said in Swift: asking the system for its pages and giving them back, and having the
// processor fetch it before it is read. Everything is inline: there is no library to link.
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

#if defined(__linux__)
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
// Of Linux 5.14; older ones answer that they do not know it, and older headers do not have it.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
// Has the system put pages below memory that is about to be written to, all at once instead of with a fault for each. It
// is advice: what cannot be done now is done when the memory is written to.
static inline void tracestore_populate(void *memory, size_t byte_count) {
  uintptr_t page_byte_count = (uintptr_t)getpagesize();
  uintptr_t first = ((uintptr_t)memory + page_byte_count - 1) & ~(page_byte_count - 1);
  uintptr_t end = ((uintptr_t)memory + byte_count) & ~(page_byte_count - 1);
  if (first < end) madvise((void *)first, end - first, MADV_POPULATE_WRITE);
}
#else
static inline void tracestore_populate(void *memory, size_t byte_count) {
  (void)memory;
  (void)byte_count;
}
#endif

// Any address may be given: one that cannot be read is passed over.
static inline void tracestore_prefetch(const void *address) { __builtin_prefetch(address); }

#endif
