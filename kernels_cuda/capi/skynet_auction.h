/* SPDX-License-Identifier: Apache-2.0
 *
 * The auction as a C library, for Python (ctypes) and tests. Statuses, paths
 * and logit types are the integers of auction_contract.h.
 */
#ifndef SKYNET_AUCTION_CAPI_H_
#define SKYNET_AUCTION_CAPI_H_

#include <stdint.h>

#ifdef __cplusplus
#define SKYNET_API extern "C" __attribute__((visibility("default")))
#else
#define SKYNET_API
#endif

/* A reusable workspace, one per thread; NULL when memory ran out. */
SKYNET_API void* skynet_auction_new(void);
SKYNET_API void skynet_auction_free(void* workspace);

/* in: AuctionInput*, reply: ReplyResult*, rows: RowResult[in->rows], top:
 * TopResult* or NULL. Returns a Status. */
SKYNET_API int32_t skynet_auction_run(void* workspace, int32_t path,
                                      const void* in, void* reply, void* rows,
                                      const void* top);

/* Tokens of count replies that differ in draw.index only, which counts up from
 * in's. Returns the first Status that is not 0. */
SKYNET_API int32_t skynet_auction_draws(void* workspace, int32_t path,
                                        const void* in, int32_t count,
                                        int32_t* tokens);

/* N(x) of every token into out[in->vocab]. Returns a Status. */
SKYNET_API int32_t skynet_auction_blend(void* workspace, int32_t path,
                                        const void* in, double* out);

/* The path kAuto (0), or the one given, resolves to here; -1 if none. */
SKYNET_API int32_t skynet_auction_path(int32_t path);

SKYNET_API const char* skynet_auction_message(int32_t status);

/* Sizes of AuctionInput, ReplyResult, RowResult and TopResult: a caller checks
 * its own. */
SKYNET_API void skynet_auction_sizes(int32_t sizes[4]);

#endif /* SKYNET_AUCTION_CAPI_H_ */
