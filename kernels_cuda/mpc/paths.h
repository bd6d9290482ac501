// SPDX-License-Identifier: Apache-2.0
//
// The controller's CPU paths behind one call. They share every template and
// differ in the lane type, so in rounding only.
#pragma once

#include "../cpu/path.h"
#include "../include/mpc_contract.h"

namespace skynet {
namespace mpc {

// Decides every row; the same input gives the same bits on the same path.
// Keeps no state: safe from any thread. No exceptions, no memory taken.
Status decide(const Batch& batch, Path path);

// F, f, f', U, U', U'' of one controlled row at count weights, into
// out[count][6]. *ok is false for a row that decide would refuse.
Status curve(Path path, const float* mixture, const double* control,
             int32_t count, const double* w, double* out, bool* ok);

const char* message(Status status);

// The paths themselves; input already checked.
void decide_scalar(const Batch&);
void decide_avx2(const Batch&);
void decide_avx512(const Batch&);
bool curve_scalar(const float*, const double*, int32_t, const double*, double*);
bool curve_avx2(const float*, const double*, int32_t, const double*, double*);
bool curve_avx512(const float*, const double*, int32_t, const double*, double*);

}  // namespace mpc
}  // namespace skynet
