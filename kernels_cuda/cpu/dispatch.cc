// SPDX-License-Identifier: Apache-2.0
//
// Checks the input once and sends it to the widest path the processor has.

#include <math.h>

#include "paths.h"

namespace skynet {
namespace {

Status check(const AuctionInput& in) {
  if (in.logits == nullptr || in.weights == nullptr) {
    return Status::kNullPointer;
  }
  if (in.rows < 1 || in.rows > kMaxRows) return Status::kBadRows;
  if (in.vocab < 1 || in.vocab > kMaxVocab || in.row_stride < in.vocab) {
    return Status::kBadVocab;
  }
  const int type = static_cast<int>(in.type);
  if (type < 0 || type > static_cast<int>(LogitType::kBF16)) {
    return Status::kBadType;
  }
  if (!(in.temperature > 0.0f) || isinf(in.temperature)) {
    return Status::kBadTemperature;
  }
  if (in.mode != Mode::kArgmax && in.mode != Mode::kSample) {
    return Status::kBadMode;
  }
  return Status::kOk;
}

Status prepare(const AuctionInput& in, Path asked, Workspace& ws, Path* path) {
  const Status status = check(in);
  if (status != Status::kOk) return status;
  if (!resolve_path(asked, path)) return Status::kBadPath;
  const bool room =
      *path == Path::kScalar ? ws.reserve_twin(in) : ws.reserve(in);
  return room ? Status::kOk : Status::kNoMemory;
}

}  // namespace

Status run(const AuctionInput& in, Path asked, Workspace& ws,
           ReplyResult* reply, RowResult* rows, const TopResult* top) {
  if (reply == nullptr || rows == nullptr) return Status::kNullPointer;
  Path path;
  const Status status = prepare(in, asked, ws, &path);
  if (status != Status::kOk) return status;
  switch (path) {
    case Path::kAvx512:
      return auction_avx512(in, ws, reply, rows, top);
    case Path::kAvx2:
      return auction_avx2(in, ws, reply, rows, top);
    default:
      return auction_scalar(in, ws, reply, rows, top);
  }
}

Status blend(const AuctionInput& in, Path asked, Workspace& ws, double* out) {
  if (out == nullptr) return Status::kNullPointer;
  Path path;
  const Status status = prepare(in, asked, ws, &path);
  if (status != Status::kOk) return status;
  switch (path) {
    case Path::kAvx512:
      return blend_avx512(in, ws, out);
    case Path::kAvx2:
      return blend_avx2(in, ws, out);
    default:
      return blend_scalar(in, ws, out);
  }
}

const char* message(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kBadRows:
      return "rows out of range, expected 1 to 33";
    case Status::kBadVocab:
      return "vocabulary out of range, expected 1 to 262144 logits a row";
    case Status::kBadType:
      return "unknown logit type";
    case Status::kBadTemperature:
      return "temperature must be finite and above 0";
    case Status::kBadReference:
      return "the reference row is unusable";
    case Status::kNoWeight:
      return "the valid weights sum to 0";
    case Status::kBadPath:
      return "unknown or unsupported auction path";
    case Status::kNoMemory:
      return "out of memory";
    case Status::kNullPointer:
      return "a required buffer is missing";
    case Status::kBadMode:
      return "unknown mode, expected 0 (argmax) or 1 (sample)";
    case Status::kDeviceFailed:
      return "the accelerator reported an error";
    case Status::kDeviceTimeout:
      return "the accelerator did not answer in time";
  }
  return "unknown status";
}

}  // namespace skynet
