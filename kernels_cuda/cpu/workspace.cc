// SPDX-License-Identifier: Apache-2.0

#include "workspace.h"

#include <stdlib.h>

#include "../include/auction_contract.h"

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

bool Workspace::reserve(int rows, int vocab) {
  const int blocks = (vocab + kBlock - 1) / kBlock;
  const int wide = static_cast<int>(round_up(static_cast<size_t>(blocks)));
  const size_t per_row = round_up(sizeof(float) * wide);
  const size_t tile = round_up(sizeof(double) * kMaxRows * kBlock);
  const size_t sizes[] = {per_row * rows,
                          per_row * rows,
                          round_up(sizeof(double) * wide),
                          round_up(static_cast<size_t>(wide)),
                          tile,
                          tile,
                          round_up(sizeof(double) * kBlock)};
  size_t total = 0;
  for (size_t bytes : sizes) total += bytes;
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
    at += bytes;
    return start;
  };
  block_max = reinterpret_cast<float*>(take(sizes[0]));
  block_exp = reinterpret_cast<float*>(take(sizes[1]));
  bound = reinterpret_cast<double*>(take(sizes[2]));
  seen = reinterpret_cast<uint8_t*>(take(sizes[3]));
  share = reinterpret_cast<double*>(take(sizes[4]));
  without = reinterpret_cast<double*>(take(sizes[5]));
  blend = reinterpret_cast<double*>(take(sizes[6]));
  stride = wide;
  return true;
}

bool Workspace::reserve_twin(int rows, int vocab) {
  const size_t need = sizeof(double) * rows * static_cast<size_t>(vocab);
  if (need <= twin_bytes_) return true;
  void* grown = realloc(twin, need);
  if (grown == nullptr) return false;
  twin = static_cast<double*>(grown);
  twin_bytes_ = need;
  return true;
}

}  // namespace skynet
