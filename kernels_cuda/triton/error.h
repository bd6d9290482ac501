// SPDX-License-Identifier: Apache-2.0
//
// Triton errors are owned pointers; this keeps them from leaking.
#ifndef SKYNET_TRITON_ERROR_H_
#define SKYNET_TRITON_ERROR_H_

#include <string>

#include "triton_api.h"

namespace skynet {

inline TRITONSERVER_Error* invalid(const std::string& message) {
  return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, message.c_str());
}

// "LOGITS: expected shape [rows, vocab], got [3]"
inline TRITONSERVER_Error* expected(const std::string& what,
                                    const std::string& wanted,
                                    const std::string& got) {
  return invalid(what + ": expected " + wanted + ", got " + got);
}

// For calls whose failure changes nothing for the caller.
inline void log_if(TRITONSERVER_Error* error, const char* what) {
  if (error == nullptr) return;
  const std::string text =
      std::string(what) + ": " + TRITONSERVER_ErrorMessage(error);
  TRITONSERVER_ErrorDelete(error);
  TRITONSERVER_Error* second = TRITONSERVER_LogMessage(
      TRITONSERVER_LOG_ERROR, __FILE__, __LINE__, text.c_str());
  if (second != nullptr) TRITONSERVER_ErrorDelete(second);
}

// True when the call worked; deletes the error otherwise.
inline bool worked(TRITONSERVER_Error* error) {
  if (error == nullptr) return true;
  TRITONSERVER_ErrorDelete(error);
  return false;
}

}  // namespace skynet

#define SKYNET_RETURN_IF_ERROR(call)           \
  do {                                         \
    if (TRITONSERVER_Error* error_ = (call)) { \
      return error_;                           \
    }                                          \
  } while (false)

#endif  // SKYNET_TRITON_ERROR_H_
