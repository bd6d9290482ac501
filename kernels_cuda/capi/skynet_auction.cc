// SPDX-License-Identifier: Apache-2.0

#include "skynet_auction.h"

#include <new>

#include "../cpu/paths.h"

using skynet::AuctionInput;
using skynet::Path;
using skynet::ReplyResult;
using skynet::RowResult;
using skynet::Status;
using skynet::TopResult;
using skynet::Workspace;

void* skynet_auction_new(void) {
  return new (std::nothrow) Workspace;
}

void skynet_auction_free(void* workspace) {
  delete static_cast<Workspace*>(workspace);
}

int32_t skynet_auction_run(void* workspace, int32_t path, const void* in,
                           void* reply, void* rows, const void* top) {
  if (workspace == nullptr || in == nullptr) {
    return static_cast<int32_t>(Status::kNullPointer);
  }
  return static_cast<int32_t>(skynet::run(
      *static_cast<const AuctionInput*>(in), static_cast<Path>(path),
      *static_cast<Workspace*>(workspace), static_cast<ReplyResult*>(reply),
      static_cast<RowResult*>(rows), static_cast<const TopResult*>(top)));
}

int32_t skynet_auction_draws(void* workspace, int32_t path, const void* in,
                             int32_t count, int32_t* tokens) {
  if (workspace == nullptr || in == nullptr || tokens == nullptr) {
    return static_cast<int32_t>(Status::kNullPointer);
  }
  AuctionInput input = *static_cast<const AuctionInput*>(in);
  for (int32_t i = 0; i < count; ++i, ++input.draw.index) {
    ReplyResult reply;
    RowResult rows[skynet::kMaxRows];
    const Status status =
        skynet::run(input, static_cast<Path>(path),
                    *static_cast<Workspace*>(workspace), &reply, rows, nullptr);
    if (status != Status::kOk) return static_cast<int32_t>(status);
    tokens[i] = reply.token;
  }
  return 0;
}

int32_t skynet_auction_blend(void* workspace, int32_t path, const void* in,
                             double* out) {
  if (workspace == nullptr || in == nullptr) {
    return static_cast<int32_t>(Status::kNullPointer);
  }
  return static_cast<int32_t>(skynet::blend(
      *static_cast<const AuctionInput*>(in), static_cast<Path>(path),
      *static_cast<Workspace*>(workspace), out));
}

int32_t skynet_auction_path(int32_t path) {
  Path resolved;
  const bool ok = skynet::resolve_path(static_cast<Path>(path), &resolved);
  return ok ? static_cast<int32_t>(resolved) : -1;
}

const char* skynet_auction_message(int32_t status) {
  return skynet::message(static_cast<Status>(status));
}

void skynet_auction_sizes(int32_t sizes[4]) {
  sizes[0] = sizeof(AuctionInput);
  sizes[1] = sizeof(ReplyResult);
  sizes[2] = sizeof(RowResult);
  sizes[3] = sizeof(TopResult);
}
