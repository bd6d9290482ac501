// SPDX-License-Identifier: Apache-2.0
//
// Model "mpc": what lives as long as a version, and its counters.
#ifndef SKYNET_TRITON_MPC_MODEL_H_
#define SKYNET_TRITON_MPC_MODEL_H_

#include <memory>

#include "counters.h"

namespace skynet {
namespace mpc {

enum Counter {
  kRowsDecided,
  kRowsRefused,
  kAbandons,
  kBisections,
  kErrors,
  kSeconds,
};
constexpr int kCounters = 6;

struct MetricFamilies : Families {
  MetricFamilies();
};

struct Model {
  // An error names what differs from mpc_contract.h, or the path.
  static TRITONSERVER_Error* create(TRITONBACKEND_Model* handle,
                                    const MetricFamilies& families,
                                    std::unique_ptr<Model>* model);

  std::unique_ptr<Counters> metrics;
};

}  // namespace mpc
}  // namespace skynet

#endif  // SKYNET_TRITON_MPC_MODEL_H_
