// SPDX-License-Identifier: Apache-2.0
//
// The entry points Triton calls. Included by a backend's one source file, which
// names its Instance, Model and MetricFamilies first. No exception leaves them.
#pragma once

#include <exception>
#include <memory>

#include "error.h"

namespace {

// Runs a body that may throw bad_alloc; the C ABI sees an error instead.
template <typename Body>
TRITONSERVER_Error* guarded(Body body) {
  try {
    return body();
  } catch (const std::exception&) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL,
                                 "the backend ran out of memory");
  }
}

TRITONSERVER_Error* check_api() {
  uint32_t major = 0, minor = 0;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ApiVersion(&major, &minor));
  if (major == TRITONBACKEND_API_VERSION_MAJOR &&
      minor >= TRITONBACKEND_API_VERSION_MINOR) {
    return nullptr;
  }
  return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNSUPPORTED,
                               "the server's backend API is too old");
}

TRITONSERVER_Error* create_model(TRITONBACKEND_Model* handle) {
  TRITONBACKEND_Backend* backend = nullptr;
  void* families = nullptr;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelBackend(handle, &backend));
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_BackendState(backend, &families));
  std::unique_ptr<Model> model;
  SKYNET_RETURN_IF_ERROR(
      Model::create(handle, *static_cast<MetricFamilies*>(families), &model));
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelSetState(handle, model.get()));
  model.release();
  return nullptr;
}

TRITONSERVER_Error* create_instance(TRITONBACKEND_ModelInstance* handle) {
  TRITONBACKEND_Model* owner = nullptr;
  void* model = nullptr;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceModel(handle, &owner));
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelState(owner, &model));
  std::unique_ptr<Instance> instance;
  SKYNET_RETURN_IF_ERROR(
      Instance::create(handle, *static_cast<Model*>(model), &instance));
  SKYNET_RETURN_IF_ERROR(
      TRITONBACKEND_ModelInstanceSetState(handle, instance.get()));
  instance.release();
  return nullptr;
}

}  // namespace

extern "C" {

TRITONBACKEND_ISPEC TRITONSERVER_Error* TRITONBACKEND_Initialize(
    TRITONBACKEND_Backend* backend) {
  return guarded([backend]() -> TRITONSERVER_Error* {
    SKYNET_RETURN_IF_ERROR(check_api());
    auto families = std::make_unique<MetricFamilies>();
    SKYNET_RETURN_IF_ERROR(
        TRITONBACKEND_BackendSetState(backend, families.get()));
    families.release();
    return nullptr;
  });
}

TRITONBACKEND_ISPEC TRITONSERVER_Error* TRITONBACKEND_Finalize(
    TRITONBACKEND_Backend* backend) {
  void* families = nullptr;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_BackendState(backend, &families));
  delete static_cast<MetricFamilies*>(families);
  return nullptr;
}

TRITONBACKEND_ISPEC TRITONSERVER_Error* TRITONBACKEND_ModelInitialize(
    TRITONBACKEND_Model* model) {
  return guarded([model] { return create_model(model); });
}

TRITONBACKEND_ISPEC TRITONSERVER_Error* TRITONBACKEND_ModelFinalize(
    TRITONBACKEND_Model* model) {
  void* state = nullptr;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelState(model, &state));
  delete static_cast<Model*>(state);
  return nullptr;
}

TRITONBACKEND_ISPEC TRITONSERVER_Error* TRITONBACKEND_ModelInstanceInitialize(
    TRITONBACKEND_ModelInstance* instance) {
  return guarded([instance] { return create_instance(instance); });
}

TRITONBACKEND_ISPEC TRITONSERVER_Error* TRITONBACKEND_ModelInstanceFinalize(
    TRITONBACKEND_ModelInstance* instance) {
  void* state = nullptr;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceState(instance, &state));
  delete static_cast<Instance*>(state);
  return nullptr;
}

TRITONBACKEND_ISPEC TRITONSERVER_Error* TRITONBACKEND_ModelInstanceExecute(
    TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_Request** requests,
    const uint32_t count) {
  void* state = nullptr;
  SKYNET_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceState(instance, &state));
  static_cast<Instance*>(state)->execute(requests, count);
  return nullptr;
}

}  // extern "C"
