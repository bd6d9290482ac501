// SPDX-License-Identifier: Apache-2.0
//
// Memory one caller reuses between auctions: it only grows, so a steady state
// allocates nothing. Not shared between threads.
#ifndef SKYNET_AUCTION_WORKSPACE_H_
#define SKYNET_AUCTION_WORKSPACE_H_

#include <stddef.h>
#include <stdint.h>

#include "../include/auction_contract.h"

namespace skynet {

// Tokens are handled in blocks of this many, whatever the vector width.
constexpr int kBlock = 64;
// Blocks whose exponentials are added up in f32 before they are widened.
constexpr int kGroup = 7;

struct Workspace {
  float* block_max = nullptr;   // [rows][stride] largest logit of a block
  float* block_exp = nullptr;   // [rows][stride] its exponential
  double* group_sum = nullptr;  // [rows][groups] sum of exponentials
  float* logits = nullptr;  // [stride][kBlock] a row as f32; f32 rows: [kBlock]
  double* bound = nullptr;  // [stride] upper bound on the blend in a block
  uint8_t* seen = nullptr;  // [stride] block already evaluated
  double* share = nullptr;  // [kMaxRows][kBlock] w_k P_k(x)
  double* without = nullptr;  // [kMaxRows][kBlock] B_-k(x)
  double* blend = nullptr;    // [kBlock] N(x)
  double* twin = nullptr;     // [rows][vocab] P, scalar path only
  int groups = 0;             // of kGroup blocks, in a row
  int stride = 0;             // blocks, rounded up for whole vectors

  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace();

  // False when memory ran out; the workspace then stays usable as it was.
  bool reserve(const AuctionInput& in);
  bool reserve_twin(const AuctionInput& in);

 private:
  void* pool_ = nullptr;
  size_t pool_bytes_ = 0;
  size_t twin_bytes_ = 0;
};

}  // namespace skynet

#endif  // SKYNET_AUCTION_WORKSPACE_H_
