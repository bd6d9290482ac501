// SPDX-License-Identifier: Apache-2.0
//
// A model's config.pbtxt against its contract header: what every backend here
// checks when a model loads.
#ifndef SKYNET_TRITON_CONFIG_CHECK_H_
#define SKYNET_TRITON_CONFIG_CHECK_H_

#include <string>

#include "../include/tensor_spec.h"
#include "error.h"
#include "json.h"

namespace skynet {

TRITONSERVER_Error* read_json(TRITONBACKEND_Model* model, Json* config);

std::string dims_text(const Json& dims);

// The entry of that name, or null.
const Json* find(const Json& list, const std::string& name);

// Name, dims and type as the contract says; an error names what differs.
TRITONSERVER_Error* check_tensor(const TensorSpec& spec, const Json* entry);

TRITONSERVER_Error* check_batch(const Json& config, int at_least);

template <size_t N, typename Check>
TRITONSERVER_Error* check_tensors(const TensorSpec (&specs)[N],
                                  const Json& list, const char* kind,
                                  Check check) {
  if (list.items.size() != N) {
    return expected(kind, std::to_string(N) + " tensors",
                    std::to_string(list.items.size()));
  }
  for (const TensorSpec& spec : specs) {
    SKYNET_RETURN_IF_ERROR(check(spec, find(list, spec.name)));
  }
  return nullptr;
}

}  // namespace skynet

#endif  // SKYNET_TRITON_CONFIG_CHECK_H_
