// SPDX-License-Identifier: Apache-2.0
//
// The slow, obvious twin: float64 throughout, one loop per line of the
// contract. It serves processors without AVX2 and checks the fast paths.

#include <math.h>
#include <string.h>

#include <algorithm>

#include "draw.h"
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

struct Twin {
  const AuctionInput& in;
  double* p;  // [rows][vocab]
  RowStatus status[kMaxRows];
  int argmax[kMaxRows];
  double top[kMaxRows];  // largest logit
  double z[kMaxRows];    // sum_x exp((z(x) - top) / T)

  double* row(int k) const { return p + static_cast<size_t>(k) * in.vocab; }
  double prob(int k, int x) const { return row(k)[x]; }
  double term(int k, int x) const {
    const double t = static_cast<double>(in.temperature);
    return exp((logit(in, k, x) - top[k]) / t);
  }
  double weight(int k) const {
    return status[k] == RowStatus::kOk ? static_cast<double>(in.weights[k])
                                       : 0.0;
  }
  double weight_without(int k) const {
    double sum = 0.0;
    for (int j = 0; j < in.rows; ++j) sum += j != k ? weight(j) : 0.0;
    return sum;
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

// P_k = softmax(logits_k / T).
RowStatus softmax(Twin* t, int k) {
  const float weight = t->in.weights[k];
  if (!(weight >= 0.0f && weight < INFINITY)) return RowStatus::kBadWeight;
  double top = -INFINITY;
  bool finite = true;
  for (int x = 0; x < t->in.vocab; ++x) {
    const double z = logit(t->in, k, x);
    finite &= z < INFINITY;  // false for NaN too
    if (z > top) {
      top = z;
      t->argmax[k] = x;
    }
  }
  if (!finite) return RowStatus::kNotFinite;
  if (top == -INFINITY) return RowStatus::kEmpty;
  t->top[k] = top;
  t->z[k] = 0.0;
  double* p = t->row(k);
  for (int x = 0; x < t->in.vocab; ++x) {
    p[x] = t->term(k, x);
    t->z[k] += p[x];
  }
  for (int x = 0; x < t->in.vocab; ++x) p[x] /= t->z[k];
  return RowStatus::kOk;
}

Status read(Twin* t) {
  double total = 0.0;
  for (int k = 0; k < t->in.rows; ++k) {
    t->status[k] = softmax(t, k);
    total += t->weight(k);
  }
  if (t->status[0] != RowStatus::kOk) return Status::kBadReference;
  return total > 0.0 ? Status::kOk : Status::kNoWeight;
}

double best_elsewhere(const Twin& t, int token) {
  double best = 0.0;
  for (int x = 0; x < t.in.vocab; ++x) {
    if (x != token) best = std::max(best, t.blend(x, -1));
  }
  return best;
}

void find_winner(const Twin& t, ReplyResult* reply) {
  const double best = best_elsewhere(t, -1);
  int token = 0;
  while (t.blend(token, -1) < best * (1.0 - kTieRel)) ++token;
  const double won = t.blend(token, -1);
  const double margin = std::max(0.0, won - best_elsewhere(t, token));
  reply->token = token;
  reply->ref_token = t.argmax[0];
  reply->blend = won;
  reply->margin = margin;
  reply->near_tie = margin <= kNearTieRel * won;
  reply->drawn_row = -1;
}

// The lowest token whose running sum of terms exceeds u Z.
int draw_token(const Twin& t, int row, double u) {
  double sum = 0.0;
  int last = 0;
  for (int x = 0; x < t.in.vocab; ++x) {
    const double term = t.term(row, x);
    if (!(term > 0.0)) continue;
    sum += term;
    last = x;
    if (sum > u * t.z[row]) break;
  }
  return last;
}

void draw_winner(const Twin& t, ReplyResult* reply) {
  const Uniforms u = uniforms(t.in.draw);
  double weights[kMaxRows];
  for (int k = 0; k < t.in.rows; ++k) weights[k] = t.weight(k);
  reply->drawn_row = draw_row(weights, t.in.rows, u.row);
  reply->token = draw_token(t, reply->drawn_row, u.token);
  reply->ref_token = draw_token(t, 0, u.token);
  reply->blend = t.blend(reply->token, -1);
  reply->margin = reply->blend - best_elsewhere(t, reply->token);
  reply->near_tie = 0;
}

void price_clarke(const Twin& t, int row, int token, RowResult* out) {
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

void price_sample(const Twin& t, int row, int token, RowResult* out) {
  const double others = t.weight_without(row);
  if (others > 0.0) {
    out->pay = stable_payment(t.weight(row), others, out->p_token,
                              t.blend(token, row));
  }
}

RowResult write_row(const Twin& t, int k, int token) {
  RowResult out = {};
  out.status = t.status[k];
  double ads = 0.0;
  for (int j = 1; j < t.in.rows; ++j) ads += j != k ? t.weight(j) : 0.0;
  out.w_minus = static_cast<float>(ads);
  if (out.status != RowStatus::kOk) return out;
  out.p_token = t.prob(k, token);
  out.log_z = t.top[k] / static_cast<double>(t.in.temperature) + log(t.z[k]);
  if (k == 0 || !(t.weight(k) > 0.0)) return out;
  if (t.in.mode == Mode::kSample) {
    price_sample(t, k, token, &out);
  } else {
    price_clarke(t, k, token, &out);
  }
  return out;
}

// kTop selections of the best token not taken yet.
void write_top_ids(const Twin& t, int k, int32_t* id) {
  for (int place = 0; place < kTop; ++place) {
    id[place] = -1;
    if (t.status[k] != RowStatus::kOk) continue;
    double best = -INFINITY;
    for (int x = 0; x < t.in.vocab; ++x) {
      const double z = logit(t.in, k, x);
      if (z > best && std::find(id, id + place, x) == id + place) {
        best = z;
        id[place] = x;
      }
    }
  }
}

void write_top(const Twin& t, const TopResult& top) {
  int32_t id[kMaxRows * kTop];
  const int count = t.in.rows * kTop;
  for (int k = 0; k < t.in.rows; ++k) write_top_ids(t, k, id + k * kTop);
  if (top.id != nullptr) std::copy(id, id + count, top.id);
  if (top.logit == nullptr) return;
  for (int k = 0; k < t.in.rows; ++k) {
    for (int i = 0; i < count; ++i) {
      const bool known = id[i] >= 0 && t.status[k] == RowStatus::kOk;
      const double z = known ? logit(t.in, k, id[i]) : -INFINITY;
      top.logit[static_cast<size_t>(k) * count + i] = static_cast<float>(z);
    }
  }
}

}  // namespace

Status auction_scalar(const AuctionInput& in, Workspace& ws, ReplyResult* reply,
                      RowResult* rows, const TopResult* top) {
  Twin t{in, ws.twin, {}, {}, {}, {}};
  const Status status = read(&t);
  if (status != Status::kOk) {
    rows[0].status = t.status[0];
    return status;
  }
  *reply = {};
  reply->precise = 1;
  if (in.mode == Mode::kSample) {
    draw_winner(t, reply);
  } else {
    find_winner(t, reply);
  }
  for (int k = 0; k < in.rows; ++k) rows[k] = write_row(t, k, reply->token);
  if (top != nullptr) write_top(t, *top);
  return Status::kOk;
}

Status blend_scalar(const AuctionInput& in, Workspace& ws, double* out) {
  Twin t{in, ws.twin, {}, {}, {}, {}};
  const Status status = read(&t);
  if (status != Status::kOk) return status;
  for (int x = 0; x < in.vocab; ++x) out[x] = t.blend(x, -1);
  return Status::kOk;
}

}  // namespace skynet
