// SPDX-License-Identifier: Apache-2.0

#include "metrics.h"

#include "error.h"

namespace skynet {
namespace {

constexpr struct {
  const char* name;
  const char* help;
} kSeries[kCounters] = {
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

MetricFamilies::MetricFamilies() {
  for (int i = 0; i < kCounters; ++i) {
    if (!worked(TRITONSERVER_MetricFamilyNew(
            &family[i], TRITONSERVER_METRIC_KIND_COUNTER, kSeries[i].name,
            kSeries[i].help))) {
      family[i] = nullptr;
    }
  }
}

MetricFamilies::~MetricFamilies() {
  for (TRITONSERVER_MetricFamily* each : family) {
    if (each != nullptr) {
      log_if(TRITONSERVER_MetricFamilyDelete(each), "deleting a family");
    }
  }
}

Metrics::Metrics(const MetricFamilies& families, const char* model,
                 uint64_t version) {
  const std::string number = std::to_string(version);
  const TRITONSERVER_Parameter* labels[] = {
      TRITONSERVER_ParameterNew("model", TRITONSERVER_PARAMETER_STRING, model),
      TRITONSERVER_ParameterNew("version", TRITONSERVER_PARAMETER_STRING,
                                number.c_str())};
  for (int i = 0; i < kCounters; ++i) {
    if (families.family[i] == nullptr) continue;
    if (!worked(TRITONSERVER_MetricNew(&metric_[i], families.family[i], labels,
                                       2))) {
      metric_[i] = nullptr;
    }
  }
  for (const TRITONSERVER_Parameter* label : labels) {
    TRITONSERVER_ParameterDelete(const_cast<TRITONSERVER_Parameter*>(label));
  }
}

Metrics::~Metrics() {
  for (TRITONSERVER_Metric* each : metric_) {
    if (each != nullptr) {
      log_if(TRITONSERVER_MetricDelete(each), "deleting a metric");
    }
  }
}

void Metrics::add(Counter counter, double amount) const {
  if (metric_[counter] == nullptr || !(amount > 0.0)) return;
  log_if(TRITONSERVER_MetricIncrement(metric_[counter], amount), "counting");
}

}  // namespace skynet
