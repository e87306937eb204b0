// CRC-32C by the processor's own instruction, for processors that have it. Everything is inline: there is no library
// to link, and a processor without the instruction never runs it.
#ifndef TRACESTORE_CHECKSUM_H
#define TRACESTORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// What `is_mixed` multiplies each eight bytes by, modulo 2^64, before they count: an operation that the checksum does not
// see through.
#define TRACESTORE_CRC_FACTOR 0x9e3779b97f4a7c15ull

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

// SSE 4.2 brings the instruction, PCLMULQDQ the multiplication that joins streams.
static inline int tracestore_crc32c_is_supported(void) {
  unsigned int a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  return (c & (1u << 20)) != 0 && (c & (1u << 1)) != 0;
}

#define TRACESTORE_CRC_TARGET __attribute__((target("sse4.2,pclmul")))

// Eight bytes.
TRACESTORE_CRC_TARGET
static inline uint64_t tracestore_crc_word(uint64_t state, const uint8_t *bytes, int is_mixed) {
  uint64_t word;
  memcpy(&word, bytes, 8);
  return _mm_crc32_u64(state, is_mixed ? word * TRACESTORE_CRC_FACTOR : word);
}

TRACESTORE_CRC_TARGET
static inline uint64_t tracestore_crc_byte(uint64_t state, uint8_t byte) {
  return _mm_crc32_u8((uint32_t)state, byte);
}

// The state after `factor` stands for a number of zero bytes more.
TRACESTORE_CRC_TARGET
static inline uint64_t tracestore_crc_shift(uint64_t state, uint64_t factor) {
  __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)state), _mm_cvtsi64_si128((long long)factor), 0);
  return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

// `state` and the result are not complemented. The instruction takes three cycles and a new one can begin in each, so
// three streams run side by side and are joined. `factor` and `factor2` shift by one stream and by two.
TRACESTORE_CRC_TARGET
static inline uint64_t tracestore_crc_streams(
    uint64_t state, const uint8_t **place, size_t *count, size_t stream, uint64_t factor, uint64_t factor2,
    int is_mixed) {
  const uint8_t *bytes = *place;
  while (*count >= 3 * stream) {
    uint64_t second = 0, third = 0;
    for (size_t index = 0; index < stream; index += 8) {
      state = tracestore_crc_word(state, bytes + index, is_mixed);
      second = tracestore_crc_word(second, bytes + stream + index, is_mixed);
      third = tracestore_crc_word(third, bytes + 2 * stream + index, is_mixed);
    }
    state = tracestore_crc_shift(state, factor2) ^ tracestore_crc_shift(second, factor) ^ third;
    bytes += 3 * stream;
    *count -= 3 * stream;
  }
  *place = bytes;
  return state;
}

// Streams of 128 and of 1,024 bytes. The factors are x^(8n - 33) modulo the polynomial, bits reversed, for n bytes.
TRACESTORE_CRC_TARGET
static inline uint32_t tracestore_crc32c(uint32_t start, const uint8_t *bytes, size_t count, int is_mixed) {
  uint64_t state = start;
  state = tracestore_crc_streams(state, &bytes, &count, 1024, 0x170076fa, 0xa51b6135, is_mixed);
  state = tracestore_crc_streams(state, &bytes, &count, 128, 0xd3b6092, 0xb9e02b86, is_mixed);
  for (; count >= 8; count -= 8, bytes += 8) state = tracestore_crc_word(state, bytes, is_mixed);
  for (; count > 0; count--, bytes++) state = tracestore_crc_byte(state, *bytes);
  return (uint32_t)state;
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

static inline int tracestore_crc32c_is_supported(void) { return 1; }

static inline uint32_t tracestore_crc32c(uint32_t state, const uint8_t *bytes, size_t count, int is_mixed) {
  for (; count >= 8; count -= 8, bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    state = __crc32cd(state, is_mixed ? word * TRACESTORE_CRC_FACTOR : word);
  }
  for (; count > 0; count--, bytes++) state = __crc32cb(state, *bytes);
  return state;
}

#else

static inline int tracestore_crc32c_is_supported(void) { return 0; }

static inline uint32_t tracestore_crc32c(uint32_t state, const uint8_t *bytes, size_t count, int is_mixed) {
  (void)bytes;
  (void)count;
  (void)is_mixed;
  return state;
}

#endif
#endif
