// SPDX-License-Identifier: Apache-2.0
//
// The path this processor runs.
#ifndef SKYNET_CPU_PATH_H_
#define SKYNET_CPU_PATH_H_

#include "../include/path.h"

namespace skynet {

// Turns kAuto into a path this processor has. False if it has not the one
// asked for, or SKYNET_AUCTION_PATH is none of auto, scalar, avx2, avx512.
bool resolve_path(Path asked, Path* path);

}  // namespace skynet

#endif  // SKYNET_CPU_PATH_H_
