// SPDX-License-Identifier: Apache-2.0
//
// Step 1: each row's validity, maximum and softmax normaliser. Every block
// works relative to the largest logit of its own part, so that one exchange
// between the blocks is enough.
#ifndef SKYNET_CUDA_ROWS_H_
#define SKYNET_CUDA_ROWS_H_

#include "block.h"

namespace skynet {

// Terms over this share of a block's sum are added again in float64. What is
// left are many independent rounding errors (3e-8 each, rms): together under
// 3e-8 sqrt(kCut) of the sum.
constexpr double kCut = 0x1p-9;

SKYNET_CODE Top higher(const Top& a, const Top& b) {
  const bool first =
      a.value > b.value || (a.value == b.value && a.octet < b.octet);
  return {first ? a.value : b.value, first ? a.octet : b.octet};
}

template <class Logits>
SKYNET_CODE Top scan_part(const Block<Logits>& b, int k, int thread) {
  Top top = {-INFINITY, INT32_MAX};
  if (!good_weight(b.job().weights[k])) return top;
  each_octet(b, k, thread, [&](int o) {
    const float most = largest(b.logits.octet(k, o));
    const Top found = {most < INFINITY ? most : INFINITY,
                       b.rank * b.octets + o};
    top = higher(top, found);
  });
  return top;
}

// Thread k: the constants of row k's exponentials.
template <class Logits>
SKYNET_CODE void set_scale(const Block<Logits>& b, int k) {
  Top top = b.template left_by<Top>(k, 0);
  SKYNET_UNROLL
  for (int w = 1; w < kWarps; ++w) {
    top = higher(top, b.template left_by<Top>(k, w));
  }
  const bool present = top.value > -INFINITY && top.value < INFINITY;
  Scale& scale = b.control->scale[k];
  scale = make_scale(present ? top.value : 0.0f, b.job().to_exp2);
  scale.present = present;
  b.control->part_top[k] = top;
}

template <class Logits>
SKYNET_CODE double sum_wide(const Block<Logits>& b, int k, int octet,
                            double* most) {
  const Scale& s = b.control->scale[k];
  double sum = 0.0;
  SKYNET_UNROLL_BY_4
  for (int i = 0; i < kOctet; ++i) {
    const double e =
        exp_f64(b.logits.at(k, octet * kOctet + i), s.top, b.job().to_exp2);
    *most = e > *most ? e : *most;
    sum += e;
  }
  return sum;
}

SKYNET_CODE float sum_narrow(const Octet& octet, const Scale& s, float* most) {
  float e[kOctet];
  SKYNET_UNROLL
  for (int i = 0; i < kOctet; ++i) e[i] = exp_f32(octet.z[i], s);
  *most = e[0];
  SKYNET_UNROLL
  for (int i = 1; i < kOctet; ++i) *most = larger(*most, e[i]);
  return ((e[0] + e[1]) + (e[2] + e[3])) + ((e[4] + e[5]) + (e[6] + e[7]));
}

// A thread's share of row k's normaliser; leaves the octets' crests. Crests are
// never 0, so that a bound made of them stays an upper bound.
template <class Logits>
SKYNET_CODE double sum_part(const Block<Logits>& b, int k, int thread,
                            bool precise) {
  const Scale scale = b.control->scale[k];
  float* crest = b.crest + k * b.octets;
  double sum = 0.0;
  each_octet(b, k, thread, [&](int o) {
    if (scale.present == 0) {
      crest[o] = 0.0f;
    } else if (scale.narrow != 0 && !precise) {
      const Octet octet = b.logits.octet(k, o);
      sum += static_cast<double>(sum_narrow(octet, scale, &crest[o]));
    } else {
      double most = 0x1p-120;
      sum += sum_wide(b, k, o, &most);
      if (scale.narrow == 0) crest[o] = static_cast<float>(most);
    }
  });
  return sum;
}

// Thread k adds up what the warps left for row k.
template <class Logits>
SKYNET_CODE double add_warps(const Block<Logits>& b, int k) {
  double sum = 0.0;
  SKYNET_UNROLL
  for (int w = 0; w < kWarps; ++w) sum += b.template left_by<double>(k, w);
  return sum;
}

// An octet's sum with the terms over `cut` in float64.
template <class Logits>
SKYNET_CODE double sum_mixed(const Block<Logits>& b, int k, int octet,
                             float cut) {
  const Scale& s = b.control->scale[k];
  double sum = 0.0;
  SKYNET_ROLLED
  for (int i = 0; i < kOctet; ++i) {
    const float z = b.logits.at(k, octet * kOctet + i);
    const float e = exp_f32(z, s);
    sum += e > cut ? exp_f64(z, s.top, b.job().to_exp2)
                   : static_cast<double>(e) * s.unscale;
  }
  return sum;
}

// What the sum gains by adding octets with terms over kCut of it once more.
template <class Logits>
SKYNET_CODE double correct_part(const Block<Logits>& b, int k, int thread) {
  const Scale scale = b.control->scale[k];
  if (scale.present == 0 || scale.narrow == 0) return 0.0;
  const float cut = static_cast<float>(b.control->part[k] * kCut);
  const float* crest = b.crest + k * b.octets;
  double gain = 0.0;
  each_octet(b, k, thread, [&](int o) {
    if (crest[o] <= cut) return;
    const Octet octet = b.logits.octet(k, o);
    float most;
    const double narrow =
        static_cast<double>(sum_narrow(octet, scale, &most)) * scale.unscale;
    gain += sum_mixed(b, k, o, cut) - narrow;
  });
  return gain;
}

// Tells the others row k's sum over this block's part.
template <class Logits>
SKYNET_CODE void post_sum(const Block<Logits>& b, char* board, int k,
                          bool precise) {
  const Scale& scale = b.control->scale[k];
  const bool narrow = scale.narrow != 0 && !precise;
  const double sum = narrow
                         ? b.control->part[k] * scale.unscale + add_warps(b, k)
                         : b.control->part[k];
  cell<RowSum>(board, b.at().sums, b.rows(), b.rank, k) = {
      sum, b.control->part_top[k]};
}

SKYNET_CODE RowStatus row_status(float weight, double top) {
  if (!good_weight(weight)) return RowStatus::kBadWeight;
  if (top == INFINITY) return RowStatus::kNotFinite;
  return top == -INFINITY ? RowStatus::kEmpty : RowStatus::kOk;
}

// ---- The whole row, one warp each, from every block's part of it ---------
template <class Logits>
SKYNET_CODE const RowSum& sum_from(const Block<Logits>& b, int k, int sender) {
  return cell<RowSum>(b.board, b.at().sums, b.rows(), sender, k);
}

template <class Logits>
SKYNET_CODE Top top_from(const Block<Logits>& b, int k, int sender) {
  if (sender >= b.blocks) return {-INFINITY, INT32_MAX};
  return sum_from(b, k, sender).top;
}

template <class Logits>
SKYNET_CODE void set_top(const Block<Logits>& b, int k, const Top& top) {
  const float weight = b.job().weights[k];
  Row& row = b.control->row[k];
  row.weight = static_cast<double>(weight);
  row.top = static_cast<double>(top.value);
  row.octet = top.octet;
  row.status = row_status(weight, row.top);
  row.active = row.valid() && weight > 0.0f;
}

template <class Logits>
SKYNET_CODE double z_from(const Block<Logits>& b, int k, int sender) {
  const Row& row = b.control->row[k];
  if (sender >= b.blocks || !row.valid()) return 0.0;
  const RowSum& sum = sum_from(b, k, sender);
  return sum.z * exp_f64(sum.top.value, row.top, b.job().to_exp2);
}

template <class Logits>
SKYNET_CODE void set_z(const Block<Logits>& b, int k, double z) {
  Row& row = b.control->row[k];
  row.z = z;
  row.inv_z = row.valid() ? 1.0 / z : 0.0;
}

}  // namespace skynet

#endif  // SKYNET_CUDA_ROWS_H_
