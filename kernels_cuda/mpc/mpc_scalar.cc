// SPDX-License-Identifier: Apache-2.0
//
// The slow, obvious twin: one point at a time, exponentials from libm.

#include "curve.h"
#include "decide.h"
#include "paths.h"

namespace skynet {
namespace mpc {

void decide_scalar(const Batch& batch) {
  decide_batch<ScalarLane>(batch);
}

bool curve_scalar(const float* mixture, const double* control, int32_t count,
                  const double* w, double* out) {
  return curve_of<ScalarLane>(mixture, control, count, w, out);
}

}  // namespace mpc
}  // namespace skynet
