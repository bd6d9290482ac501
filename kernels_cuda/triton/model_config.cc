// SPDX-License-Identifier: Apache-2.0

#include "model_config.h"

#include <stdlib.h>

#include <string>

#include "../include/auction_contract.h"
#include "config_check.h"

namespace skynet {
namespace {

constexpr char kParameters[] = "device or device_timeout_ms";

// LOGITS may fix V and be of another float type.
TRITONSERVER_Error* check_logits(const TensorSpec& spec, const Json* entry) {
  if (entry == nullptr) return expected(spec.name, "an entry", "none");
  const std::string name = spec.name;
  const std::string dims = dims_text(entry->at("dims"));
  if (entry->at("dims").items.size() != 1) {
    return expected(name + " dims", "[-1]", dims);
  }
  const std::string& type = entry->at("data_type").text;
  if (type == "TYPE_FP32" || type == "TYPE_FP16" || type == "TYPE_BF16") {
    return nullptr;
  }
  return expected(name + " data_type", "TYPE_FP32, TYPE_FP16 or TYPE_BF16",
                  type);
}

TRITONSERVER_Error* check_input(const TensorSpec& spec, const Json* entry) {
  const bool logits = &spec == &kInputs[0];
  return logits ? check_logits(spec, entry) : check_tensor(spec, entry);
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
  SKYNET_RETURN_IF_ERROR(check_batch(config, kMaxRows));
  SKYNET_RETURN_IF_ERROR(
      check_tensors(kInputs, config.at("input"), "input", check_input));
  SKYNET_RETURN_IF_ERROR(
      check_tensors(kOutputs, config.at("output"), "output", check_tensor));
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
