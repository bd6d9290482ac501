// SPDX-License-Identifier: Apache-2.0
//
// The slow, obvious twin: float64 throughout, one loop per line of the
// contract. It serves processors without AVX2 and checks the fast paths.

#include <math.h>
#include <string.h>

#include <algorithm>

#include "paths.h"

namespace skynet {
namespace {

float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

double from_f16(uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const double sign = (h & 0x8000) ? -1.0 : 1.0;
  const double mantissa = h & 1023;
  if (exponent == 31) return mantissa != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * ldexp(mantissa, -24);
  return sign * ldexp(1024.0 + mantissa, exponent - 25);
}

double logit(const AuctionInput& in, int row, int token) {
  const size_t at = static_cast<size_t>(row) * in.row_stride + token;
  const char* base = static_cast<const char*>(in.logits);
  if (in.type == LogitType::kF32) {
    float value;
    memcpy(&value, base + 4 * at, sizeof value);
    return static_cast<double>(value);
  }
  uint16_t half;
  memcpy(&half, base + 2 * at, sizeof half);
  if (in.type == LogitType::kF16) return from_f16(half);
  return static_cast<double>(from_bits(static_cast<uint32_t>(half) << 16));
}

// P_k = softmax(logits_k / T) into p[vocab].
RowStatus softmax(const AuctionInput& in, int row, double* p, int* argmax) {
  const float weight = in.weights[row];
  if (!(weight >= 0.0f && weight < INFINITY)) return RowStatus::kBadWeight;
  double top = -INFINITY;
  bool finite = true;
  for (int x = 0; x < in.vocab; ++x) {
    p[x] = logit(in, row, x);
    finite &= p[x] < INFINITY;  // false for NaN too
    if (p[x] > top) {
      top = p[x];
      *argmax = x;
    }
  }
  if (!finite) return RowStatus::kNotFinite;
  if (top == -INFINITY) return RowStatus::kEmpty;
  double z = 0.0;
  for (int x = 0; x < in.vocab; ++x) {
    p[x] = exp((p[x] - top) / static_cast<double>(in.temperature));
    z += p[x];
  }
  for (int x = 0; x < in.vocab; ++x) p[x] /= z;
  return RowStatus::kOk;
}

struct Twin {
  const AuctionInput& in;
  const double* p;  // [rows][vocab]
  RowStatus status[kMaxRows];
  int argmax[kMaxRows];

  double prob(int row, int x) const {
    return p[static_cast<size_t>(row) * in.vocab + x];
  }
  double weight(int row) const {
    return status[row] == RowStatus::kOk ? static_cast<double>(in.weights[row])
                                         : 0.0;
  }
  // The blend without one row; without = -1 leaves none out.
  double blend(int x, int without) const {
    double sum = 0.0;
    for (int k = 0; k < in.rows; ++k) {
      if (k != without && weight(k) > 0.0) sum += weight(k) * prob(k, x);
    }
    return sum;
  }
};

Status read(Twin* t, Workspace& ws) {
  double total = 0.0;
  for (int k = 0; k < t->in.rows; ++k) {
    double* p = ws.twin + static_cast<size_t>(k) * t->in.vocab;
    t->status[k] = softmax(t->in, k, p, &t->argmax[k]);
    total += t->weight(k);
  }
  if (t->status[0] != RowStatus::kOk) return Status::kBadReference;
  return total > 0.0 ? Status::kOk : Status::kNoWeight;
}

void find_winner(const Twin& t, ReplyResult* reply) {
  double best = 0.0;
  for (int x = 0; x < t.in.vocab; ++x) best = std::max(best, t.blend(x, -1));
  int token = 0;
  while (t.blend(token, -1) < best * (1.0 - kTieRel)) ++token;
  double second = 0.0;
  for (int x = 0; x < t.in.vocab; ++x) {
    if (x != token) second = std::max(second, t.blend(x, -1));
  }
  const double won = t.blend(token, -1);
  *reply = {std::max(0.0, won - second),       won, token, t.argmax[0],
            won - second <= kNearTieRel * won, 1};
}

void price(const Twin& t, int row, int token, RowResult* out) {
  const double at_token = t.blend(token, row);
  double best = 0.0;
  for (int x = 0; x < t.in.vocab; ++x) best = std::max(best, t.blend(x, row));
  const double pay = best - at_token;
  if (pay <= kTieRel * best) return;
  out->pay = std::min(pay, t.weight(row) * out->p_token);
  for (int x = 0; x < t.in.vocab; ++x) {
    const double spread = out->p_token - t.prob(row, x);
    if (!(spread > 0.0)) continue;
    const double bid = (t.blend(x, row) - at_token) / spread;
    out->critical_bid = std::max(out->critical_bid, bid);
  }
  out->critical_bid = std::min(out->critical_bid, t.weight(row));
}

}  // namespace

Status auction_scalar(const AuctionInput& in, Workspace& ws, ReplyResult* reply,
                      RowResult* rows) {
  Twin t{in, ws.twin, {}, {}};
  const Status status = read(&t, ws);
  if (status != Status::kOk) {
    rows[0].status = t.status[0];
    return status;
  }
  find_winner(t, reply);
  for (int k = 0; k < in.rows; ++k) {
    const bool ok = t.status[k] == RowStatus::kOk;
    double others = 0.0;
    for (int j = 1; j < in.rows; ++j) others += j != k ? t.weight(j) : 0.0;
    rows[k] = {ok ? t.prob(k, reply->token) : 0.0, 0.0, 0.0,
               static_cast<float>(others), t.status[k]};
    if (k > 0 && t.weight(k) > 0.0) price(t, k, reply->token, &rows[k]);
  }
  return Status::kOk;
}

Status blend_scalar(const AuctionInput& in, Workspace& ws, double* out) {
  Twin t{in, ws.twin, {}, {}};
  const Status status = read(&t, ws);
  if (status != Status::kOk) return status;
  for (int x = 0; x < in.vocab; ++x) out[x] = t.blend(x, -1);
  return Status::kOk;
}

}  // namespace skynet
