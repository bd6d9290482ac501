// SPDX-License-Identifier: Apache-2.0
//
// Triton backend "auction". Its tensors are listed in auction_contract.h.

#include "instance.h"

using skynet::Instance;
using skynet::MetricFamilies;
using skynet::Model;

#include "entry_points.h"
