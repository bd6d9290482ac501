// SPDX-License-Identifier: Apache-2.0
//
// The auction compiled for this instruction set alone. Everything but the two
// entry points has internal linkage, so no code built with these flags can be
// picked by the linker for a processor without them.

#include "simd_avx512.h"

#include "kernel.h"

namespace skynet {

Status auction_avx512(const AuctionInput& in, Workspace& ws, ReplyResult* reply,
                      RowResult* rows, const TopResult* top) {
  return run_auction(in, ws, reply, rows, top);
}

Status blend_avx512(const AuctionInput& in, Workspace& ws, double* out) {
  return run_blend(in, ws, out);
}

}  // namespace skynet
