// SPDX-License-Identifier: Apache-2.0
//
// A backend's Prometheus counters, on the server's own /metrics.
#ifndef SKYNET_TRITON_COUNTERS_H_
#define SKYNET_TRITON_COUNTERS_H_

#include <vector>

#include "triton_api.h"

namespace skynet {

struct Series {
  const char* name;
  const char* help;
};

// The families: one set for the backend. Null where metrics are switched off.
class Families {
 public:
  Families(const Series* series, int count);
  ~Families();
  Families(const Families&) = delete;
  Families& operator=(const Families&) = delete;

 private:
  friend class Counters;
  std::vector<TRITONSERVER_MetricFamily*> family_;
};

// One model version's counters, labelled model and version; numbered as the
// series are.
class Counters {
 public:
  Counters(const Families& families, const char* model, uint64_t version);
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  void add(int counter, double amount) const;

 private:
  std::vector<TRITONSERVER_Metric*> metric_;
};

}  // namespace skynet

#endif  // SKYNET_TRITON_COUNTERS_H_
