// SPDX-License-Identifier: Apache-2.0
//
// The controller compiled for this instruction set alone. Everything but the
// entry points has internal linkage, so no code built with these flags can be
// picked by the linker for a processor without them.

#include "lane_avx2.h"

#include "curve.h"
#include "decide.h"
#include "paths.h"

namespace skynet {
namespace mpc {

void decide_avx2(const Batch& batch) {
  decide_batch<SimdLane>(batch);
}

bool curve_avx2(const float* mixture, const double* control, int32_t count,
                const double* w, double* out) {
  return curve_of<SimdLane>(mixture, control, count, w, out);
}

}  // namespace mpc
}  // namespace skynet
