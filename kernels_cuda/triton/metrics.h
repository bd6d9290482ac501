// SPDX-License-Identifier: Apache-2.0
//
// The auction's Prometheus counters, on the server's own /metrics.
#ifndef SKYNET_TRITON_METRICS_H_
#define SKYNET_TRITON_METRICS_H_

#include <string>

#include "triton_api.h"

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

// The families: one set for the backend. Null where metrics are switched off.
struct MetricFamilies {
  MetricFamilies();
  ~MetricFamilies();
  MetricFamilies(const MetricFamilies&) = delete;
  MetricFamilies& operator=(const MetricFamilies&) = delete;

  TRITONSERVER_MetricFamily* family[kCounters] = {};
};

// One model version's counters, labelled model and version.
class Metrics {
 public:
  Metrics(const MetricFamilies& families, const char* model, uint64_t version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void add(Counter counter, double amount) const;

 private:
  TRITONSERVER_Metric* metric_[kCounters] = {};
};

}  // namespace skynet

#endif  // SKYNET_TRITON_METRICS_H_
