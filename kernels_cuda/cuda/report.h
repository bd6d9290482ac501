// SPDX-License-Identifier: Apache-2.0
//
// The last step: the first block of a reply writes its record.
#ifndef SKYNET_CUDA_REPORT_H_
#define SKYNET_CUDA_REPORT_H_

#include "tie.h"

namespace skynet {

SKYNET_CODE float weight_of_others(const Control& c, int k) {
  double others = 0.0;
  SKYNET_ROLLED
  for (int j = 1; j < c.job.rows; ++j) {
    if (j != k && c.row[j].valid()) others += c.row[j].weight;
  }
  return static_cast<float>(others);
}

// Thread k.
SKYNET_CODE RowResult row_result(const Control& c, int k) {
  const Row& row = c.row[k];
  RowResult out = {0.0, 0.0, 0.0, 0.0, weight_of_others(c, k), row.status};
  if (!row.valid()) return out;
  out.p_token = c.column[k];
  out.log_z = row.top / static_cast<double>(c.job.temperature) + log(row.z);
  out.pay = c.pay[k];
  out.critical_bid = c.bid[k].bid * row.weight;
  return out;
}

SKYNET_CODE ReplyResult reply_result(const Control& c, bool precise) {
  const bool sample = c.job.mode == Mode::kSample;
  return {c.outcome.margin,
          c.outcome.blend,
          c.head.token,
          c.head.ref_token,
          c.outcome.near_tie,
          precise ? 1 : 0,
          sample ? c.draw[0].row : -1,
          0};
}

// A refused reply: nothing but the row statuses, and those only when it is the
// reference row that is unusable.
SKYNET_CODE RowResult refused_row(const Control& c, int k) {
  return {0.0, 0.0, 0.0, 0.0, 0.0f, c.row[k].status};
}

SKYNET_CODE void write_record(const Control& c, Record& record, int k,
                              bool precise) {
  const bool ok = c.blend.status == Status::kOk;
  record.rows[k] = ok ? row_result(c, k) : refused_row(c, k);
  if (k > 0) return;
  record.status = c.blend.status;
  if (ok) record.reply = reply_result(c, precise);
}

}  // namespace skynet

#endif  // SKYNET_CUDA_REPORT_H_
