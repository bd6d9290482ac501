// SPDX-License-Identifier: Apache-2.0

#include "model.h"

#include <string>

#include "../cpu/paths.h"
#include "error.h"

namespace skynet {

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
  auto made = std::make_unique<Model>();
  SKYNET_RETURN_IF_ERROR(read_config(handle, &made->config));
  made->metrics = std::make_unique<Counters>(families, name, version);
  *model = std::move(made);
  return nullptr;
}

}  // namespace skynet
