/* SPDX-License-Identifier: Apache-2.0
 *
 * The controller as a C library, for Python (ctypes) and tests. Statuses and
 * paths are the integers of mpc_contract.h and path.h.
 */
#ifndef SKYNET_MPC_CAPI_H_
#define SKYNET_MPC_CAPI_H_

#include <stdint.h>

#ifdef __cplusplus
#define SKYNET_API extern "C" __attribute__((visibility("default")))
#else
#define SKYNET_API
#endif

/* One row after another: mixture [rows][5], bid [rows], control [rows][112] in;
 * weight [rows], decision [rows][8] out, and unless NULL steps [rows][2]
 * (Newton, bisection). Returns a Status. */
SKYNET_API int32_t skynet_mpc_decide(int32_t path, int32_t rows,
                                     const float* mixture, const float* bid,
                                     const double* control, float* weight,
                                     double* decision, int32_t* steps);

/* F, f, f', U, U', U'' of one row at count weights into out [count][6]; *ok is
 * 0, and nothing is written, for a row that would be refused. */
SKYNET_API int32_t skynet_mpc_curve(int32_t path, const float* mixture,
                                    const double* control, int32_t count,
                                    const double* w, double* out, int32_t* ok);

/* The path kAuto (0), or the one given, resolves to here; -1 if none. */
SKYNET_API int32_t skynet_mpc_path(int32_t path);

SKYNET_API const char* skynet_mpc_message(int32_t status);

#endif /* SKYNET_MPC_CAPI_H_ */
