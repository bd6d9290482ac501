// SPDX-License-Identifier: Apache-2.0

#include "model_config.h"

#include <stdlib.h>

#include <string>

#include "../include/auction_contract.h"
#include "error.h"
#include "json.h"

namespace skynet {
namespace {

TRITONSERVER_Error* read_config(TRITONBACKEND_Model* model, Json* config) {
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
  // V may be fixed by the config.
  const bool free_dim = name == kInputs[0].name && entry->at("dims").items.size() == 1;
  const std::string wanted = "[" + std::to_string(spec.dim) + "]";
  if (!free_dim && dims != wanted) {
    return expected(name + " dims", wanted, dims);
  }
  const std::string& type = entry->at("data_type").text;
  const bool logits = name == kInputs[0].name;
  if (logits && (type == "TYPE_FP16" || type == "TYPE_BF16")) return nullptr;
  if (type == spec.type) return nullptr;
  const std::string types =
      logits ? "TYPE_FP32, TYPE_FP16 or TYPE_BF16" : std::string(spec.type);
  return expected(name + " data_type", types, type);
}

template <size_t N>
TRITONSERVER_Error* check_tensors(const TensorSpec (&specs)[N],
                                  const Json& list, const char* kind) {
  if (list.items.size() != N) {
    return expected(kind, std::to_string(N) + " tensors",
                    std::to_string(list.items.size()));
  }
  for (const TensorSpec& spec : specs) {
    SKYNET_RETURN_IF_ERROR(check_tensor(spec, find(list, spec.name)));
  }
  return nullptr;
}

}  // namespace

TRITONSERVER_Error* check_config(TRITONBACKEND_Model* model,
                                 TRITONSERVER_DataType* logits_type) {
  Json config;
  SKYNET_RETURN_IF_ERROR(read_config(model, &config));
  const std::string& batch = config.at("max_batch_size").text;
  if (atoi(batch.c_str()) < kMaxRows) {
    return expected("max_batch_size", "at least " + std::to_string(kMaxRows),
                    batch);
  }
  SKYNET_RETURN_IF_ERROR(check_tensors(kInputs, config.at("input"), "input"));
  SKYNET_RETURN_IF_ERROR(
      check_tensors(kOutputs, config.at("output"), "output"));
  const std::string& type =
      find(config.at("input"), "LOGITS")->at("data_type").text;
  *logits_type = type == "TYPE_FP16"   ? TRITONSERVER_TYPE_FP16
                 : type == "TYPE_BF16" ? TRITONSERVER_TYPE_BF16
                                       : TRITONSERVER_TYPE_FP32;
  return nullptr;
}

}  // namespace skynet
