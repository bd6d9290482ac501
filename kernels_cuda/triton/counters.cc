// SPDX-License-Identifier: Apache-2.0

#include "counters.h"

#include <string>

#include "error.h"

namespace skynet {

Families::Families(const Series* series, int count) : family_(count) {
  for (int i = 0; i < count; ++i) {
    if (!worked(TRITONSERVER_MetricFamilyNew(&family_[i],
                                             TRITONSERVER_METRIC_KIND_COUNTER,
                                             series[i].name, series[i].help))) {
      family_[i] = nullptr;
    }
  }
}

Families::~Families() {
  for (TRITONSERVER_MetricFamily* each : family_) {
    if (each != nullptr) {
      log_if(TRITONSERVER_MetricFamilyDelete(each), "deleting a family");
    }
  }
}

Counters::Counters(const Families& families, const char* model,
                   uint64_t version)
    : metric_(families.family_.size()) {
  const std::string number = std::to_string(version);
  const TRITONSERVER_Parameter* labels[] = {
      TRITONSERVER_ParameterNew("model", TRITONSERVER_PARAMETER_STRING, model),
      TRITONSERVER_ParameterNew("version", TRITONSERVER_PARAMETER_STRING,
                                number.c_str())};
  for (size_t i = 0; i < metric_.size(); ++i) {
    if (families.family_[i] == nullptr) continue;
    if (!worked(TRITONSERVER_MetricNew(&metric_[i], families.family_[i], labels,
                                       2))) {
      metric_[i] = nullptr;
    }
  }
  for (const TRITONSERVER_Parameter* label : labels) {
    TRITONSERVER_ParameterDelete(const_cast<TRITONSERVER_Parameter*>(label));
  }
}

Counters::~Counters() {
  for (TRITONSERVER_Metric* each : metric_) {
    if (each != nullptr) {
      log_if(TRITONSERVER_MetricDelete(each), "deleting a metric");
    }
  }
}

void Counters::add(int counter, double amount) const {
  if (metric_[counter] == nullptr || !(amount > 0.0)) return;
  log_if(TRITONSERVER_MetricIncrement(metric_[counter], amount), "counting");
}

}  // namespace skynet
