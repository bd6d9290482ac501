// SPDX-License-Identifier: Apache-2.0

#include "workspace.h"

#include <stdlib.h>

namespace skynet {
namespace {

constexpr size_t kLine = 64;  // cache line, and the widest vector

size_t round_up(size_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

}  // namespace

Workspace::~Workspace() {
  free(pool_);
  free(twin);
}

bool Workspace::reserve(const AuctionInput& in) {
  const int blocks = (in.vocab + kBlock - 1) / kBlock;
  const size_t wide = round_up(static_cast<size_t>(blocks));
  groups = (blocks + kGroup - 1) / kGroup;
  const size_t rows = static_cast<size_t>(in.rows);
  const size_t converted = in.type == LogitType::kF32 ? 1 : wide;
  const size_t tile = sizeof(double) * kMaxRows * kBlock;
  const size_t sizes[] = {sizeof(float) * wide * rows,
                          sizeof(float) * wide * rows,
                          sizeof(double) * static_cast<size_t>(groups) * rows,
                          sizeof(float) * kBlock * converted,
                          sizeof(double) * wide,
                          wide,
                          tile,
                          tile,
                          sizeof(double) * kBlock};
  size_t total = 0;
  for (size_t bytes : sizes) total += round_up(bytes);
  if (total > pool_bytes_) {
    void* grown = aligned_alloc(kLine, total);
    if (grown == nullptr) return false;
    free(pool_);
    pool_ = grown;
    pool_bytes_ = total;
  }
  char* at = static_cast<char*>(pool_);
  const auto take = [&at](size_t bytes) {
    char* start = at;
    at += round_up(bytes);
    return start;
  };
  block_max = reinterpret_cast<float*>(take(sizes[0]));
  block_exp = reinterpret_cast<float*>(take(sizes[1]));
  group_sum = reinterpret_cast<double*>(take(sizes[2]));
  logits = reinterpret_cast<float*>(take(sizes[3]));
  bound = reinterpret_cast<double*>(take(sizes[4]));
  seen = reinterpret_cast<uint8_t*>(take(sizes[5]));
  share = reinterpret_cast<double*>(take(sizes[6]));
  without = reinterpret_cast<double*>(take(sizes[7]));
  blend = reinterpret_cast<double*>(take(sizes[8]));
  stride = static_cast<int>(wide);
  return true;
}

bool Workspace::reserve_twin(const AuctionInput& in) {
  const size_t need = sizeof(double) * static_cast<size_t>(in.rows) *
                      static_cast<size_t>(in.vocab);
  if (need <= twin_bytes_) return true;
  void* grown = realloc(twin, need);
  if (grown == nullptr) return false;
  twin = static_cast<double*>(grown);
  twin_bytes_ = need;
  return true;
}

}  // namespace skynet
