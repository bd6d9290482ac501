// SPDX-License-Identifier: Apache-2.0
//
// Step 1 of the vector paths: reading logits, and per row its validity, its
// maximum and the maximum of every block of 64. Included after a Simd.

#pragma once

#include "kernel_exp.h"

namespace skynet {
namespace {

inline int min_int(int a, int b) {
  return a < b ? a : b;
}

inline size_t type_bytes(LogitType type) {
  return type == LogitType::kF32 ? 4 : 2;
}

inline const char* logit_address(const AuctionInput& in, int row, int token) {
  const size_t at = static_cast<size_t>(row) * in.row_stride + token;
  return static_cast<const char*>(in.logits) + type_bytes(in.type) * at;
}

// Logits may lie unaligned (a request's bytes start anywhere).
inline float logit_at(const AuctionInput& in, int row, int token) {
  const char* at = logit_address(in, row, token);
  float value;
  if (in.type == LogitType::kF32) {
    memcpy(&value, at, sizeof value);
    return value;
  }
  uint16_t half;
  memcpy(&half, at, sizeof half);
  if (in.type == LogitType::kF16) return Simd::from_f16(half);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline void widen_block(LogitType type, const void* halves, float* out) {
  const uint16_t* half = static_cast<const uint16_t*>(halves);
  for (int j = 0; j < kBlock; j += Simd::kF) {
    Simd::store(out + j, type == LogitType::kBF16 ? Simd::from_bf16(half + j)
                                                  : Simd::from_f16(half + j));
  }
}

// 64 logits of a row as f32, in place where they can be read so, else copied
// to buffer. Past V: -inf, and memory past V is not read.
inline const float* read_block(const AuctionInput& in, int row, int block,
                               float* buffer) {
  const int first = block * kBlock;
  const int count = min_int(kBlock, in.vocab - first);
  const char* source = logit_address(in, row, first);
  if (count == kBlock) {
    if (in.type == LogitType::kF32) {
      return reinterpret_cast<const float*>(source);
    }
    widen_block(in.type, source, buffer);
    return buffer;
  }
  alignas(64) char tail[4 * kBlock] = {};
  memcpy(tail, source, type_bytes(in.type) * static_cast<size_t>(count));
  if (in.type == LogitType::kF32) {
    memcpy(buffer, tail, sizeof tail);
  } else {
    widen_block(in.type, tail, buffer);
  }
  for (int j = count; j < kBlock; ++j) buffer[j] = -INFINITY;
  return buffer;
}

// One whole row as f32 blocks: f32 rows lie where they are but for the last
// block, halves are converted once into the workspace.
class RowLogits {
 public:
  RowLogits(const AuctionInput& in, int row, float* room)
      : in_place_(reinterpret_cast<const float*>(logit_address(in, row, 0))),
        whole_(in.type == LogitType::kF32 ? in.vocab / kBlock : 0),
        copied_(room) {
    const int blocks = (in.vocab + kBlock - 1) / kBlock;
    for (int b = whole_; b < blocks; ++b) {
      read_block(in, row, b, room + (b - whole_) * kBlock);
    }
  }
  const float* block(int b) const {
    return b < whole_ ? in_place_ + b * kBlock
                      : copied_ + (b - whole_) * kBlock;
  }
  // The end of the blocks that lie behind one another from b on, at most end.
  int run(int b, int end) const {
    return b < whole_ ? min_int(end, whole_) : end;
  }

 private:
  const float* in_place_;
  int whole_;  // blocks read in place
  const float* copied_;
};

// Fills the block maxima, row->top, row->top_token and the row's status.
inline void scan_row(const AuctionInput& in, const RowLogits& logits,
                     int blocks, int stride, float* block_max, Row* row) {
  F top = Simd::set(-INFINITY);
  Simd::Mask nan = Simd::no_mask();
  for (int b = 0; b < blocks; ++b) {
    const float* z = logits.block(b);
    F largest = Simd::set(-INFINITY);
    for (int j = 0; j < kBlock; j += 2 * Simd::kF) {
      const F low = Simd::load(z + j), high = Simd::load(z + j + Simd::kF);
      nan = Simd::or_(nan, Simd::either_nan(low, high));
      largest = Simd::max(largest, Simd::max(low, high));
    }
    block_max[b] = Simd::hmax(largest);
    top = Simd::max(top, largest);
  }
  for (int b = blocks; b < stride; ++b) block_max[b] = -INFINITY;
  const float largest = Simd::hmax(top);
  row->top = static_cast<double>(largest);
  if (Simd::any(nan) || largest == INFINITY) {
    row->status = RowStatus::kNotFinite;
    return;
  }
  if (largest == -INFINITY) {
    row->status = RowStatus::kEmpty;
    return;
  }
  int token = 0;
  while (block_max[token / kBlock] != largest) token += kBlock;
  while (logit_at(in, row->index, token) != largest) ++token;
  row->top_token = token;
  row->status = RowStatus::kOk;
}

}  // namespace
}  // namespace skynet
