// SPDX-License-Identifier: Apache-2.0
//
// Which code runs on a CPU: the same choice for the auction and the controller.
#ifndef SKYNET_PATH_H_
#define SKYNET_PATH_H_

#include <stdint.h>

namespace skynet {

// kScalar is the slow, obvious float64 twin. kAuto takes the widest path the
// processor has, or the one SKYNET_AUCTION_PATH names.
enum class Path : int32_t { kAuto = 0, kScalar = 1, kAvx2 = 2, kAvx512 = 3 };

}  // namespace skynet

#endif  // SKYNET_PATH_H_
