// SPDX-License-Identifier: Apache-2.0
//
// Checks a call and sends it to the widest path the processor has.

#include "paths.h"

namespace skynet {
namespace mpc {

Status decide(const Batch& batch, Path asked) {
  if (batch.rows < 0) return Status::kBadRows;
  if (batch.rows > 0 && (batch.mixture == nullptr || batch.bid == nullptr ||
                         batch.control == nullptr || batch.weight == nullptr ||
                         batch.decision == nullptr)) {
    return Status::kNullPointer;
  }
  Path path;
  if (!resolve_path(asked, &path)) return Status::kBadPath;
  switch (path) {
    case Path::kAvx512:
      decide_avx512(batch);
      break;
    case Path::kAvx2:
      decide_avx2(batch);
      break;
    default:
      decide_scalar(batch);
  }
  return Status::kOk;
}

Status curve(Path asked, const float* mixture, const double* control,
             int32_t count, const double* w, double* out, bool* ok) {
  if (count < 0) return Status::kBadRows;
  if (mixture == nullptr || control == nullptr || w == nullptr ||
      out == nullptr) {
    return Status::kNullPointer;
  }
  Path path;
  if (!resolve_path(asked, &path)) return Status::kBadPath;
  switch (path) {
    case Path::kAvx512:
      *ok = curve_avx512(mixture, control, count, w, out);
      break;
    case Path::kAvx2:
      *ok = curve_avx2(mixture, control, count, w, out);
      break;
    default:
      *ok = curve_scalar(mixture, control, count, w, out);
  }
  return Status::kOk;
}

const char* message(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kBadRows:
      return "the number of rows is negative";
    case Status::kBadPath:
      return "unknown or unsupported path";
    case Status::kNullPointer:
      return "a required buffer is missing";
  }
  return "unknown status";
}

}  // namespace mpc
}  // namespace skynet
