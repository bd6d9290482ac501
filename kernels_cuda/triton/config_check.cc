// SPDX-License-Identifier: Apache-2.0

#include "config_check.h"

#include <stdlib.h>

namespace skynet {

TRITONSERVER_Error* read_json(TRITONBACKEND_Model* model, Json* config) {
  TRITONSERVER_Message* message = nullptr;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelConfig(model, 1, &message));
  const char* base = nullptr;
  size_t bytes = 0;
  TRITONSERVER_Error* error =
      TRITONSERVER_MessageSerializeToJson(message, &base, &bytes);
  const bool ok =
      error == nullptr && parse_json(std::string(base, bytes), config);
  log_if(TRITONSERVER_MessageDelete(message), "deleting a config message");
  if (error != nullptr) return error;
  return ok ? nullptr : invalid("the model configuration is not readable");
}

std::string dims_text(const Json& dims) {
  std::string text = "[";
  for (const Json& dim : dims.items) {
    text += (text.size() > 1 ? ", " : "") + dim.text;
  }
  return text + "]";
}

const Json* find(const Json& list, const std::string& name) {
  for (const Json& entry : list.items) {
    if (entry.at("name").text == name) return &entry;
  }
  return nullptr;
}

TRITONSERVER_Error* check_tensor(const TensorSpec& spec, const Json* entry) {
  const std::string name = spec.name;
  if (entry == nullptr) return expected(name, "an entry", "none");
  const std::string dims = dims_text(entry->at("dims"));
  const std::string wanted = "[" + std::to_string(spec.dim) + "]";
  if (dims != wanted) return expected(name + " dims", wanted, dims);
  const std::string& type = entry->at("data_type").text;
  if (type == spec.type) return nullptr;
  return expected(name + " data_type", spec.type, type);
}

TRITONSERVER_Error* check_batch(const Json& config, int at_least) {
  const std::string& batch = config.at("max_batch_size").text;
  if (atoi(batch.c_str()) >= at_least) return nullptr;
  return expected("max_batch_size", "at least " + std::to_string(at_least),
                  batch);
}

}  // namespace skynet
