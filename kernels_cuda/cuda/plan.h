// SPDX-License-Identifier: Apache-2.0
//
// Which kernel serves a reply and how many blocks share it.
#ifndef SKYNET_CUDA_PLAN_H_
#define SKYNET_CUDA_PLAN_H_

#include "layout.h"
#include "runtime.h"

namespace skynet {

struct Plan {
  Kernel kernel;  // kAuto: nothing can serve this reply
  int blocks;     // that share one reply

  bool operator==(const Plan& other) const {
    return kernel == other.kernel && blocks == other.blocks;
  }
};

// batch: replies that are started together.
Plan make_plan(const Abilities& device, Kernel wanted, const AuctionInput& in,
               int batch);

Layout plan_layout(const Plan& plan, LogitType type, Mode mode, int rows,
                   int vocab);

}  // namespace skynet

#endif  // SKYNET_CUDA_PLAN_H_
