// SPDX-License-Identifier: Apache-2.0
//
// The auction's counters.
#ifndef SKYNET_TRITON_METRICS_H_
#define SKYNET_TRITON_METRICS_H_

#include "counters.h"

namespace skynet {

enum Counter {
  kTokens,
  kNearTies,
  kRowsDropped,
  kErrors,
  kCpuSeconds,
  kDeviceTokens,
  kDeviceSeconds,
  kFailovers,
  kFailoverSeconds,
};
constexpr int kCounters = 9;

struct MetricFamilies : Families {
  MetricFamilies();
};

}  // namespace skynet

#endif  // SKYNET_TRITON_METRICS_H_
