// SPDX-License-Identifier: Apache-2.0

#include "mpc_model.h"

#include <string>

#include "../mpc/paths.h"
#include "config_check.h"

namespace skynet {
namespace mpc {
namespace {

constexpr Series kSeries[kCounters] = {
    {"mpc_rows_total", "Rows the controller decided"},
    {"mpc_rows_refused_total", "Controlled rows refused for bad numbers"},
    {"mpc_abandons_total", "Rows told to end their trajectory"},
    {"mpc_bisections_total", "Rows whose solver fell back to bisection"},
    {"mpc_errors_total", "Requests refused with an error"},
    {"mpc_seconds_total", "Seconds spent in the controller"},
};

TRITONSERVER_Error* check_config(TRITONBACKEND_Model* handle) {
  Json config;
  SKYNET_RETURN_IF_ERROR(read_json(handle, &config));
  SKYNET_RETURN_IF_ERROR(check_batch(config, 1));
  SKYNET_RETURN_IF_ERROR(
      check_tensors(kInputs, config.at("input"), "input", check_tensor));
  SKYNET_RETURN_IF_ERROR(
      check_tensors(kOutputs, config.at("output"), "output", check_tensor));
  const auto& parameters = config.at("parameters").members;
  if (parameters.empty()) return nullptr;
  return expected("parameters", "none", parameters.begin()->first);
}

}  // namespace

MetricFamilies::MetricFamilies() : Families(kSeries, kCounters) {}

TRITONSERVER_Error* Model::create(TRITONBACKEND_Model* handle,
                                  const MetricFamilies& families,
                                  std::unique_ptr<Model>* model) {
  const char* name = nullptr;
  uint64_t version = 0;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelName(handle, &name));
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelVersion(handle, &version));
  Path path;
  if (!resolve_path(Path::kAuto, &path)) {
    return invalid(std::string("SKYNET_AUCTION_PATH: ") +
                   message(Status::kBadPath));
  }
  SKYNET_RETURN_IF_ERROR(check_config(handle));
  auto made = std::make_unique<Model>();
  made->metrics = std::make_unique<Counters>(families, name, version);
  *model = std::move(made);
  return nullptr;
}

}  // namespace mpc
}  // namespace skynet
