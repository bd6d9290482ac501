// SPDX-License-Identifier: Apache-2.0
//
// The CPU paths behind one call. Paths differ in speed, never in the winner.
#ifndef SKYNET_AUCTION_PATHS_H_
#define SKYNET_AUCTION_PATHS_H_

#include "../include/auction_contract.h"
#include "path.h"
#include "workspace.h"

namespace skynet {

// One reply. Checks the input, picks the path, fills reply, rows[in.rows] and,
// unless null, top. Thread-safe as long as no two threads share a workspace.
// Nothing in `in` is read once it has returned. No exceptions.
Status run(const AuctionInput& in, Path path, Workspace& ws, ReplyResult* reply,
           RowResult* rows, const TopResult* top);

// N(x) of every token into out[in.vocab].
Status blend(const AuctionInput& in, Path path, Workspace& ws, double* out);

const char* message(Status status);

// The paths themselves; input already checked, workspace already reserved.
Status auction_scalar(const AuctionInput&, Workspace&, ReplyResult*, RowResult*,
                      const TopResult*);
Status auction_avx2(const AuctionInput&, Workspace&, ReplyResult*, RowResult*,
                    const TopResult*);
Status auction_avx512(const AuctionInput&, Workspace&, ReplyResult*, RowResult*,
                      const TopResult*);
Status blend_scalar(const AuctionInput&, Workspace&, double*);
Status blend_avx2(const AuctionInput&, Workspace&, double*);
Status blend_avx512(const AuctionInput&, Workspace&, double*);

}  // namespace skynet

#endif  // SKYNET_AUCTION_PATHS_H_
