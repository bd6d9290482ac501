// SPDX-License-Identifier: Apache-2.0

#include "skynet_mpc.h"

#include "../mpc/paths.h"

using skynet::Path;
using skynet::mpc::Batch;
using skynet::mpc::Status;
using skynet::mpc::Steps;

int32_t skynet_mpc_decide(int32_t path, int32_t rows, const float* mixture,
                          const float* bid, const double* control,
                          float* weight, double* decision, int32_t* steps) {
  static_assert(sizeof(Steps) == 2 * sizeof(int32_t), "two integers a row");
  const Batch batch = {mixture, bid,      control,
                       weight,  decision, reinterpret_cast<Steps*>(steps),
                       rows};
  return static_cast<int32_t>(
      skynet::mpc::decide(batch, static_cast<Path>(path)));
}

int32_t skynet_mpc_curve(int32_t path, const float* mixture,
                         const double* control, int32_t count, const double* w,
                         double* out, int32_t* ok) {
  if (ok == nullptr) return static_cast<int32_t>(Status::kNullPointer);
  bool good = false;
  const Status status = skynet::mpc::curve(static_cast<Path>(path), mixture,
                                           control, count, w, out, &good);
  *ok = good ? 1 : 0;
  return static_cast<int32_t>(status);
}

int32_t skynet_mpc_path(int32_t path) {
  Path resolved;
  const bool ok = skynet::resolve_path(static_cast<Path>(path), &resolved);
  return ok ? static_cast<int32_t>(resolved) : -1;
}

const char* skynet_mpc_message(int32_t status) {
  return skynet::mpc::message(static_cast<Status>(status));
}
