// SPDX-License-Identifier: Apache-2.0

#include "metrics.h"

namespace skynet {
namespace {

constexpr Series kSeries[kCounters] = {
    {"auc_tokens_total", "Tokens auctioned"},
    {"auc_near_tie_total", "Tokens decided in float64 after a near tie"},
    {"auc_rows_dropped_total", "Advertiser rows left out of a token"},
    {"auc_errors_total", "Replies refused with an error"},
    {"auc_cpu_seconds_total", "Seconds spent in the auction's CPU kernel"},
    {"auc_device_tokens_total", "Tokens auctioned by the accelerator"},
    {"auc_device_seconds_total", "Seconds spent waiting for the accelerator"},
    {"auc_failovers_total", "Accelerators given up for the CPU"},
    {"auc_failover_seconds_total",
     "Seconds from submitting a batch that failed to its answers"},
};

}  // namespace

MetricFamilies::MetricFamilies() : Families(kSeries, kCounters) {}

}  // namespace skynet
