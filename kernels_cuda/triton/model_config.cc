// SPDX-License-Identifier: Apache-2.0

#include "model_config.h"

#include <stdlib.h>

#include <string>

#include "../include/auction_contract.h"
#include "error.h"
#include "json.h"

namespace skynet {
namespace {

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

constexpr char kParameters[] = "device or device_timeout_ms";

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
  const bool free_dim =
      name == kInputs[0].name && entry->at("dims").items.size() == 1;
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

TRITONSERVER_Error* read_parameter(const std::string& name,
                                   const std::string& value,
                                   ModelConfig* config) {
  if (name == "device_timeout_ms") {
    char* end = nullptr;
    const long ms = strtol(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0' || ms < 1 || ms > 900) {
      return expected("parameter " + name, "1 to 900", value);
    }
    config->device_timeout_us = 1000 * ms;
    return nullptr;
  }
  if (name != "device") return expected("parameters", kParameters, name);
  const struct {
    const char* name;
    DeviceChoice choice;
  } known[] = {{"auto", DeviceChoice::kAuto},
               {"cpu", DeviceChoice::kCpu},
               {"cuda", DeviceChoice::kCuda},
               {"host", DeviceChoice::kHost}};
  for (const auto& entry : known) {
    if (value != entry.name) continue;
    config->device = entry.choice;
    return nullptr;
  }
  return expected("parameter " + name, "auto, cpu, cuda or host", value);
}

}  // namespace

TRITONSERVER_Error* read_config(TRITONBACKEND_Model* model,
                                ModelConfig* found) {
  Json config;
  SKYNET_RETURN_IF_ERROR(read_json(model, &config));
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
  found->logits_type = type == "TYPE_FP16"   ? TRITONSERVER_TYPE_FP16
                       : type == "TYPE_BF16" ? TRITONSERVER_TYPE_BF16
                                             : TRITONSERVER_TYPE_FP32;
  for (const auto& parameter : config.at("parameters").members) {
    SKYNET_RETURN_IF_ERROR(read_parameter(
        parameter.first, parameter.second.at("string_value").text, found));
  }
  return nullptr;
}

}  // namespace skynet
