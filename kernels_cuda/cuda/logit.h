// SPDX-License-Identifier: Apache-2.0
//
// Logits as they are stored, eight at a time. An octet is eight tokens with
// neighbouring ids, the first a multiple of 8: the unit every sweep works on.
#ifndef SKYNET_CUDA_LOGIT_H_
#define SKYNET_CUDA_LOGIT_H_

#include "code.h"

namespace skynet {

constexpr int kOctet = 8;

// Sixteen bytes: what one vector load moves.
struct alignas(16) Chunk {
  uint32_t word[4];
};

struct Octet {
  float z[kOctet];
};

struct F32 {
  static constexpr double kSpacing = 0x1p-23;  // of neighbours, relative
  using Stored = uint32_t;
  static constexpr Stored kMinusInfinity = 0xff800000;
  SKYNET_CODE static float widen(Stored bits) {
    return float_of(static_cast<int32_t>(bits));
  }
};

struct Bf16 {
  static constexpr double kSpacing = 0x1p-7;  // of neighbours, relative
  using Stored = uint16_t;
  static constexpr Stored kMinusInfinity = 0xff80;
  SKYNET_CODE static float widen(Stored bits) {
    return float_of(static_cast<int32_t>(static_cast<uint32_t>(bits) << 16));
  }
};

struct F16 {
  static constexpr double kSpacing = 0x1p-10;  // of neighbours, relative
  using Stored = uint16_t;
  static constexpr Stored kMinusInfinity = 0xfc00;
#ifdef __CUDA_ARCH__
  SKYNET_CODE static float widen(Stored bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
  }
#else
  // Shifting the exponent into place leaves it 112 too small; a product with
  // 2^112 puts that right, for subnormal halves too.
  SKYNET_CODE static float widen(Stored bits) {
    const int32_t sign = (bits & 0x8000) << 16;
    const int32_t body = (bits & 0x7fff) << 13;
    const bool finite = (bits & 0x7c00) != 0x7c00;
    const float value =
        finite ? float_of(body) * 0x1p+112f : float_of(body | 0x7f800000);
    return float_of(bits_of(value) | sign);
  }
#endif
};

// How many chunks an octet takes: 2 for f32, 1 for the halves.
template <class Logit>
constexpr int kChunks = static_cast<int>(sizeof(typename Logit::Stored)) / 2;

template <class Logit>
SKYNET_CODE Octet widen(const Chunk* chunk) {
  Octet octet;
  SKYNET_UNROLL
  for (int i = 0; i < kOctet; ++i) {
    if constexpr (sizeof(typename Logit::Stored) == 4) {
      octet.z[i] = Logit::widen(chunk[i / 4].word[i % 4]);
    } else {
      const uint32_t word = chunk->word[i / 2];
      octet.z[i] = Logit::widen(
          static_cast<uint16_t>(i % 2 == 0 ? word & 0xffff : word >> 16));
    }
  }
  return octet;
}

// The 16 bytes that start `shift` (0 to 15) bytes into two chunks.
SKYNET_CODE Chunk realign(const Chunk& low, const Chunk& high, unsigned shift) {
  uint32_t w[8];
  SKYNET_UNROLL
  for (int i = 0; i < 4; ++i) {
    w[i] = low.word[i];
    w[i + 4] = high.word[i];
  }
  SKYNET_UNROLL
  for (int i = 0; i < 6; ++i) w[i] = (shift & 8) != 0 ? w[i + 2] : w[i];
  SKYNET_UNROLL
  for (int i = 0; i < 5; ++i) w[i] = (shift & 4) != 0 ? w[i + 1] : w[i];
  Chunk chunk;
  SKYNET_UNROLL
  for (int i = 0; i < 4; ++i) {
    chunk.word[i] = funnel(w[i], w[i + 1], 8 * (shift & 3));
  }
  return chunk;
}

// NaN if a logit is NaN.
SKYNET_CODE float largest(const Octet& octet) {
  float most = octet.z[0];
  SKYNET_UNROLL
  for (int i = 1; i < kOctet; ++i) most = max_or_nan(most, octet.z[i]);
  return most;
}

}  // namespace skynet

#endif  // SKYNET_CUDA_LOGIT_H_
